import { assertEquals } from "@std/assert";
import { gateOf } from "../../src/flow/source/gate.ts";
import type { Broker, GroupHandlers, JoinOptions } from "../../src/connector/mod.ts";
import { Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { settle } from "../../src/testing/mod.ts";
import { FeedDriver } from "../_support/feed_driver.ts";

/** A broker whose group is moved by hand: `handlers` are those of the member. */
function broker(): Broker & {
  handlers: GroupHandlers;
  committed: () => Promise<Map<number, number>>;
} {
  const scripted = Object.assign(new MemoryBroker(), {
    handlers: undefined as unknown as GroupHandlers,
    join: (_options: unknown, handlers: GroupHandlers) => {
      scripted.handlers = handlers;
      return Promise.resolve({
        commit: () => Promise.resolve("committed" as const),
        pause: () => {},
        resume: () => {},
        seek: () => 1,
        leave: () => Promise.resolve(),
        rejoin: () => {},
        close: () => Promise.resolve(),
      });
    },
    committed: () => Promise.resolve(new Map<number, number>()),
  });
  return scripted;
}

function assignment(generation: number) {
  return { generation, topic: "t", partitions: [0] };
}

function chunk(generation: number, ...offsets: number[]) {
  const value = new TextEncoder().encode("v");
  const records = offsets.map((offset) => ({
    offset,
    key: null,
    value,
    timestamp: 0,
    headers: [],
  }));
  const next = offsets.at(-1)! + 1;
  return { generation, epoch: 0, topic: "t", partition: 0, records, bytes: 1, next, high: next };
}

Deno.test("Topic takes no records of a partition while it gives it up: they would leave a hole", async () => {
  const scripted = broker();
  await scripted.ensure("t", {});
  await using topic = new Topic("t", { broker: scripted, groupId: "g", offset: "earliest" });
  const slow = Promise.withResolvers<void>();
  await using driver = new FeedDriver(topic, { handle: () => slow.promise });
  const flushed = Promise.withResolvers<void>();
  driver.commit = () => flushed.promise;
  await settle();
  const { handlers } = scripted;
  const first = assignment(1);
  await handlers.assigned(first);
  handlers.records(chunk(1, 0, 1));
  await driver.until(({ length }) => length === 1);
  const revoked = handlers.revoking(first, true); // 1 is fetched, and dropped
  handlers.records(chunk(1, 2));
  slow.resolve();
  await settle();
  assertEquals(driver.offsets, [0]);
  flushed.resolve();
  await revoked;
});

Deno.test("Topic moves nothing for an assignment that was overtaken while it was looked up", async () => {
  const scripted = broker();
  await scripted.ensure("t", {});
  await using topic = new Topic("t", { broker: scripted, groupId: "g", offset: "earliest" });
  const starts: number[] = [];
  gateOf(topic).limitStart((_, position) => starts.push(position) && position);
  await using _driver = new FeedDriver(topic);
  await settle();
  const { handlers } = scripted;
  const slow = Promise.withResolvers<Map<number, number>>();
  const { committed } = scripted;
  scripted.committed = () => slow.promise;
  const overtaken = handlers.assigned(assignment(1));
  await settle();
  scripted.committed = committed;
  await handlers.assigned(assignment(2));
  slow.resolve(new Map());
  await overtaken;
  assertEquals(starts, [0]);
});

Deno.test("MemoryBroker forgets an error of an assignment that was overtaken", async () => {
  await using memory = new MemoryBroker();
  await memory.ensure("t", {});
  const failed: unknown[] = [];
  const slow = Promise.withResolvers<never>();
  let assignments = 0;
  const options = { topic: "t", groupId: "g", rebalanceTimeout: 1000 } as JoinOptions;
  await memory.join(options, {
    assigned: () => ++assignments === 1 ? slow.promise : Promise.resolve(new Map([[0, 0], [1, 0]])),
    records: () => {},
    revoking: () => {},
    status: (status) => void (status.type === "failed" && failed.push(status)),
  });
  await settle();
  await memory.grow("t", 2);
  await settle();
  slow.reject(new Error("what was looked up is not true any more"));
  await settle();
  assertEquals([assignments, failed], [2, []]);
});
