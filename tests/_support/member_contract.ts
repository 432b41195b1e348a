/** The part of the broker contract that is about one member: what it is given, when, and what it may throw. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { KafkaError } from "../../src/kafka/client/errors.ts";
import { type BrokerFixture, contractTest } from "./broker_fixture.ts";
import { GroupReader, type ReaderOptions } from "./group_reader.ts";
import { unique } from "./kafka.ts";
import { openProducer, texts, write } from "./records.ts";

function fail(): never {
  throw new RangeError("of the user's");
}

/** Handlers that throw, by their names. */
const throwing: Record<string, () => Partial<ReaderOptions>> = {
  "records()": () => ({ room: fail }),
  "revoking()": () => ({ revoking: fail }),
  "status()": () => ({ status: ({ type }) => type === "assigned" ? fail() : undefined }),
};

/** Registers the tests of a member for one implementation. */
export function testMemberContract(fixture: BrokerFixture): void {
  const test = contractTest(fixture);

  test("records() holds the delivery back as long as its promise", async (broker, topic) => {
    await broker.ensure(topic, { partitions: 2 });
    for (const partition of [0, 1]) await write(broker, topic, ["v"], partition);
    const held = Promise.withResolvers<void>();
    await using reader = await GroupReader.join(broker, {
      topic,
      groupId: topic,
      room: () => held.promise,
    });
    await reader.until(({ chunks }) => chunks.length === 1);
    const busy = await GroupReader.join(broker, { topic, groupId: unique("busy") });
    await busy.until(({ seen }) => seen.length === 2);
    // What comes later does not pass either.
    for (const partition of [0, 1]) await write(broker, topic, ["w", "x"], partition);
    await busy.until(({ seen }) => seen.length === 6);
    await busy.membership.close();
    assertEquals(reader.chunks.length, 1);
    held.resolve();
    await reader.until(({ seen }) => seen.length === 6);
  });

  test(
    "gives at most maxBytesPerPartition at a time, and one record at least",
    async (broker, topic) => {
      await broker.ensure(topic, { partitions: 1 });
      const values = [...texts("v".repeat(1_000), 4), "w".repeat(5_000), "x"];
      // Each a batch of its own: a broker does not cut batches.
      for (const value of values) await write(broker, topic, [value]);
      const limits = { maxBytesPerPartition: 2_500, maxBytes: 2_500 };
      await using reader = await GroupReader.join(broker, { topic, groupId: topic, ...limits });
      await reader.until(({ seen }) => seen.length === values.length);
      assertEquals(reader.values, values);
      const sizes = reader.chunks.map(({ bytes, records }) => [bytes, records.length] as const);
      assert(sizes.every(([bytes, count]) => bytes <= 2_500 || count === 1), Deno.inspect(sizes));
    },
  );

  test(
    "asks again where to start, when the answer was an error that passes",
    async (broker, topic) => {
      await broker.ensure(topic, { partitions: 1 });
      await write(broker, topic, ["a", "b"]);
      let asked = 0;
      await using reader = await GroupReader.join(broker, {
        topic,
        groupId: topic,
        start: () =>
          ++asked === 1
            ? Promise.reject(new KafkaError("not now", { retriable: true }))
            : Promise.resolve(new Map([[0, 1]])),
      });
      await reader.until(({ seen }) => seen.length === 1);
      assertEquals([asked, reader.values], [2, ["b"]]);
    },
  );

  test("fails when the start is not known and never will be", async (broker, topic) => {
    await broker.ensure(topic, { partitions: 1 });
    const start = () => Promise.reject(new KafkaError("no such place"));
    await using reader = await GroupReader.join(broker, { topic, groupId: topic, start });
    await reader.until(({ statuses }) => statuses.some(({ type }) => type === "failed"));
    const failed = reader.statuses.find((status) => status.type === "failed")!;
    assert(failed.error.message.includes("no such place"), failed.error.message);
  });

  for (const [what, replaced] of Object.entries(throwing)) {
    test(`tells as a failure what ${what} throws`, async (broker, topic) => {
      await broker.ensure(topic, { partitions: 1 });
      await write(broker, topic, ["a"]);
      await using reader = await GroupReader.join(broker, { topic, groupId: topic, ...replaced() });
      await reader.until(({ seen }) => seen.length === 1); // the other may be given the partition
      await using _other = await GroupReader.join(broker, { topic, groupId: topic });
      await reader.until(({ statuses }) => statuses.some(({ type }) => type === "failed"));
      const failed = reader.statuses.find((status) => status.type === "failed")!;
      assertEquals(failed.error.message, "of the user's");
    });
  }

  test("join() and producer() reject with the reason of a signal", async (broker, topic) => {
    await broker.ensure(topic, { partitions: 1 });
    const signal = AbortSignal.abort(new TypeError("no more"));
    const joining = () => GroupReader.join(broker, { topic, groupId: topic, signal });
    await assertRejects(joining, TypeError, "no more");
    await assertRejects(() => openProducer(broker, topic, { signal }), TypeError, "no more");
    await write(broker, topic, ["still open to others"]);
  });
}
