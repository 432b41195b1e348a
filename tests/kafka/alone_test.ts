import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type Readers, sharers, untilAlone } from "../../src/kafka/client/alone.ts";
import type { JoinOptions } from "../../src/kafka/client/broker.ts";
import { KafkaError } from "../../src/kafka/client/errors.ts";
import type { BrokerStatus } from "../../src/kafka/client/status.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";

const JOIN = {
  topic: "t",
  groupId: "g",
  sessionTimeout: 1_000,
  rebalanceTimeout: 5_000,
} as JoinOptions;

/** Waits beside a group that a test changes; returns how it ended, and when. */
async function waiting(groupAt: (ms: number) => Partial<Readers>) {
  const clock = new ManualClock(0);
  const told: BrokerStatus[] = [];
  const readers = () =>
    Promise.resolve({ names: [], rebalancing: false, ...groupAt(clock.monotonic()) });
  let outcome: string | undefined;
  untilAlone(JOIN, { readers, clock, status: (status) => void told.push(status) })
    .then(() => outcome = "alone", (error) => outcome = error.message);
  await settle();
  while (outcome === undefined && clock.monotonic() < 60_000) {
    await clock.tick(100);
  }
  return { outcome, at: clock.monotonic(), told };
}

Deno.test("untilAlone() resolves at once, and tells nothing, in a group without readers", async () => {
  assertEquals(await waiting(() => ({})), { outcome: "alone", at: 0, told: [] });
});

Deno.test("untilAlone() waits for a dead reader, and tells for whom it waits, once", async () => {
  const { outcome, at, told } = await waiting((ms) => ({ names: ms < 900 ? ["m on /host"] : [] }));
  assertEquals([outcome, at], ["alone", 1_000]);
  assertEquals(told.map(({ type }) => type), ["joining"]);
  const [status] = told as Extract<BrokerStatus, { type: "joining" }>[];
  assertStringIncludes(
    status!.waitsFor,
    'another member of group "g" (m on /host) to leave; a member that was killed',
  );
});

Deno.test("untilAlone() waits for the dead that a group lets in when other dead ones leave it", async () => {
  const { outcome, at } = await waiting((ms) => {
    if (ms < 900) return { names: ["a", "b"], rebalancing: true };
    return { names: ms < 1_850 ? ["b"] : [] };
  });
  assertEquals([outcome, at], ["alone", 2_000]);
});

Deno.test("untilAlone() fails after a session timeout beside a live reader, and says so", async () => {
  const { outcome, at } = await waiting(() => ({ names: ["m"] }));
  assertEquals([at >= 1_000, at < 1_500], [true, true]);
  assertStringIncludes(
    outcome!,
    'Cannot keep exact state of topic "t": it is read by another member',
  );
  assertStringIncludes(
    outcome!,
    "a member that was killed counts until its session times out, 1 s (sessionTimeout)",
  );
});

Deno.test("untilAlone() ends beside a group that changes all the time", async () => {
  const { outcome, at } = await waiting((ms) => ({ names: [`m${ms}`] }));
  assertEquals([at >= 7_000, at < 7_500], [true, true]);
  assertStringIncludes(outcome!, "let nobody else read it in that group");
});

Deno.test("untilAlone() ends with its signal", async () => {
  const stop = new AbortController();
  const clock = new ManualClock(0);
  const readers = () => Promise.resolve({ names: ["m"], rebalancing: false });
  const wait = untilAlone(JOIN, { readers, clock, status: () => {}, signal: stop.signal });
  await settle();
  stop.abort(new KafkaError("no more"));
  await assertRejects(() => wait, KafkaError, "no more");
});

Deno.test("sharers() gives a topic to all, or to the exclusive reader that held it last", () => {
  const plain = { name: "plain", exclusive: false, held: 9 };
  const [first, second] = ["first", "second"].map((name) => ({ name, exclusive: true, held: 0 }));
  assertEquals(sharers([plain, plain]), [plain, plain]);
  assertEquals(sharers([plain, first!, second!]), [first!]);
  const [old, owner] = [{ ...first!, held: 3 }, { ...second!, held: 4 }];
  assertEquals(sharers([old, owner, first!]), [owner]);
});
