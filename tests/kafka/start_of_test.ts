import { assertEquals } from "@std/assert";
import { KafkaError } from "../../src/kafka/client/errors.ts";
import { startOf } from "../../src/kafka/client/start_of.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";

Deno.test("startOf() asks nothing again, and leaves no timer, when the assignment has ended", async () => {
  const clock = new ManualClock();
  const ended = new AbortController();
  let asked = 0;
  const handlers = {
    assigned() {
      asked++;
      return Promise.reject(new KafkaError("not now", { retriable: true }));
    },
    records: () => {},
    revoking: () => {},
    status: () => {},
  };
  const assignment = { generation: 1, topic: "t", partitions: [0] };
  const starting = startOf(assignment, handlers, clock, ended.signal);
  await clock.tick(500);
  assertEquals([asked, clock.pending], [2, 1]);
  ended.abort();
  assertEquals([await starting, asked, clock.pending], [undefined, 2, 0]);
});
