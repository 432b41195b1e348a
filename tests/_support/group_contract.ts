/** The part of the broker contract that is about consumer groups. */
import { assert, assertEquals } from "@std/assert";
import { type BrokerFixture, contractTest } from "./broker_fixture.ts";
import { GroupReader } from "./group_reader.ts";
import { unique } from "./kafka.ts";
import { testMemberContract } from "./member_contract.ts";
import { openProducer, record, texts, write } from "./records.ts";

/** Registers the tests of groups for one implementation. */
export function testGroupContract(fixture: BrokerFixture): void {
  const { grow, createWithHoles, skip } = fixture;
  const test = contractTest(fixture);

  test("commit() is where the next member goes on", async (broker, topic) => {
    await broker.ensure(topic, { partitions: 1 });
    await write(broker, topic, ["a", "b"]);
    assertEquals((await broker.committed(topic, topic)).size, 0);
    {
      await using first = await GroupReader.join(broker, { topic, groupId: topic });
      await first.until(({ seen }) => seen.length === 2);
      assertEquals(await first.commit(), "committed");
    }
    assertEquals([...await broker.committed(topic, topic)], [[0, 2]]);
    await write(broker, topic, ["c"]);
    await using second = await GroupReader.join(broker, { topic, groupId: topic });
    await second.until(({ seen }) => seen.length > 0);
    assertEquals(second.values, ["c"]);
  });

  test("redelivers what was not committed", async (broker, topic) => {
    await broker.ensure(topic, { partitions: 1 });
    await write(broker, topic, ["a", "b", "c"]);
    {
      await using first = await GroupReader.join(broker, { topic, groupId: topic });
      await first.until(({ seen }) => seen.length === 3);
      assertEquals(await first.membership.commit(1, new Map([[0, 1]])), "committed");
    }
    await using second = await GroupReader.join(broker, { topic, groupId: topic });
    await second.until(({ seen }) => seen.length === 2);
    assertEquals(second.values, ["b", "c"]);
  });

  test("commit() works before the first record", async (broker, topic) => {
    await broker.ensure(topic, { partitions: 1 });
    await using reader = await GroupReader.join(broker, { topic, groupId: topic });
    await reader.until(({ statuses }) => statuses.some(({ type }) => type === "assigned"));
    assertEquals(await reader.membership.commit(1, new Map([[0, 0]])), "committed");
    assertEquals([...await broker.committed(topic, topic)], [[0, 0]]);
  });

  test("shares the partitions among the members, and gives them back", async (broker, topic) => {
    await broker.ensure(topic, { partitions: 4 });
    await using first = await GroupReader.join(broker, { topic, groupId: topic });
    await first.until(({ assignment }) => assignment?.partitions.length === 4);
    {
      await using second = await GroupReader.join(broker, { topic, groupId: topic });
      await second.until(({ assignment }) => assignment?.partitions.length === 2);
      await first.until(({ assignment }) => assignment?.partitions.length === 2);
      const all = [...first.assignment!.partitions, ...second.assignment!.partitions];
      assertEquals(all.toSorted(), [0, 1, 2, 3]);
    }
    await first.until(({ assignment }) => assignment?.partitions.length === 4);
  });

  test("commit() of an old generation is fenced and changes nothing", async (broker, topic) => {
    await broker.ensure(topic, { partitions: 2 });
    await write(broker, topic, texts("a", 10), 0);
    await write(broker, topic, texts("b", 10), 1);
    await using first = await GroupReader.join(broker, { topic, groupId: topic });
    await first.until(({ seen }) => seen.length === 20);
    const old = first.assignment!.generation;
    await using second = await GroupReader.join(broker, { topic, groupId: topic });
    await second.until(({ seen }) => seen.length === 10);
    await second.commit();
    const [lost] = second.assignment!.partitions;
    assertEquals(await first.membership.commit(old, new Map([[lost!, 3]])), "fenced");
    assertEquals((await broker.committed(topic, topic)).get(lost!), 10);
  });

  test(
    "starts at the positions that the assignment asks for, nowhere else",
    async (broker, topic) => {
      await broker.ensure(topic, { partitions: 2 });
      for (const partition of [0, 1]) await write(broker, topic, texts("v", 50), partition);
      await using reader = await GroupReader.join(broker, {
        topic,
        groupId: topic,
        start: async ({ partitions }) => {
          await broker.offsets(topic, "latest");
          return new Map(partitions.map((partition) => [partition, 40 + partition]));
        },
      });
      await reader.until(({ seen }) => seen.length >= 19);
      const firsts = [0, 1].map((p) =>
        reader.seen.find(({ partition }) => partition === p)!.offset
      );
      assertEquals([firsts, reader.seen.length], [[40, 41], 19]);
    },
  );

  test(
    "seek() moves one partition and marks what follows with its epoch",
    async (broker, topic) => {
      await broker.ensure(topic, { partitions: 2 });
      for (const partition of [0, 1]) await write(broker, topic, texts("v", 20), partition);
      await using reader = await GroupReader.join(broker, { topic, groupId: topic });
      await reader.until(({ seen }) => seen.length === 40);
      const epoch = reader.membership.seek(1, 5);
      await reader.until(({ seen }) => seen.length === 55);
      const after = reader.seen.slice(40);
      assertEquals(after.map(({ offset }) => offset), Array.from({ length: 15 }, (_, i) => i + 5));
      assert(after.every((seen) => seen.partition === 1 && seen.epoch === epoch));
      assert(reader.seen.slice(0, 40).every((seen) => seen.epoch < epoch));
    },
  );

  test("seek() under load lets no record of the old epoch pass", async (broker, topic) => {
    await broker.ensure(topic, { partitions: 1 });
    await write(broker, topic, texts("v", 3_000));
    await using reader = await GroupReader.join(broker, { topic, groupId: topic });
    for (let seeks = 0; seeks < 20; seeks++) {
      const target = (seeks * 577) % 3_000;
      await reader.until(({ seen }) => seen.length > 0);
      const epoch = reader.membership.seek(0, target);
      const from = reader.seen.length;
      await reader.until(({ seen }) => seen.length > from);
      assertEquals([reader.seen[from]!.offset, reader.seen[from]!.epoch], [target, epoch]);
    }
  });

  test(
    "pause() stops single partitions, also after a rebalance, until resume()",
    async (broker, topic) => {
      await broker.ensure(topic, { partitions: 2 });
      await using reader = await GroupReader.join(broker, { topic, groupId: topic });
      await reader.until(({ statuses }) => statuses.some(({ type }) => type === "assigned"));
      reader.membership.pause([0]);
      {
        await using other = await GroupReader.join(broker, { topic, groupId: topic });
        await other.until(({ assignment }) => assignment !== undefined);
      }
      await reader.until(({ assignments }) =>
        assignments.length >= 3 && assignments.at(-1)!.partitions.length === 2
      );
      for (const partition of [0, 1]) await write(broker, topic, ["v"], partition);
      await reader.until(({ seen }) => seen.some(({ partition }) => partition === 1));
      await write(broker, topic, ["w"], 1);
      await reader.until(({ seen }) => seen.some(({ value }) => value === "w"));
      assert(reader.seen.every(({ partition }) => partition === 1));
      reader.membership.resume([0]);
      await reader.until(({ seen }) => seen.some(({ partition }) => partition === 0));
    },
  );

  test(
    "revoking() may commit before a member that is held gives up its partitions",
    async (broker, topic) => {
      await broker.ensure(topic, { partitions: 2 });
      for (const partition of [0, 1]) await write(broker, topic, texts("v", 10), partition);
      const committed: unknown[] = [];
      const held = Promise.withResolvers<void>();
      await using first: GroupReader = await GroupReader.join(broker, {
        topic,
        groupId: topic,
        room: () => first === undefined || first.seen.length < 20 ? undefined : held.promise,
        async revoking(_, canCommit) {
          if (canCommit) committed.push(await first.commit());
        },
      });
      await first.until(({ seen }) => seen.length === 20);
      await using second = await GroupReader.join(broker, { topic, groupId: topic });
      await second.until(({ statuses }) => statuses.some(({ type }) => type === "assigned"));
      assertEquals(committed, ["committed"]);
      assertEquals([...await broker.committed(topic, topic)], [[0, 10], [1, 10]]);
      held.resolve();
    },
  );

  test("gives positions past holes in the offsets", async (broker, topic) => {
    await createWithHoles(broker, topic);
    await using reader = await GroupReader.join(broker, { topic, groupId: topic });
    await reader.until(({ seen }) => seen.length === 2);
    assertEquals(reader.values, ["a", "b"]);
    const [a, b] = reader.seen;
    assert(b!.offset > a!.offset + 1, "there is a hole");
    await reader.commit();
    const position = (await broker.committed(topic, topic)).get(0)!;
    assertEquals(position, reader.next.get(0));
    assert(position > b!.offset);
  });

  test(
    "tells how far a partition is, and its end, where no record is visible",
    async (broker, topic) => {
      await broker.ensure(topic, { partitions: 2 });
      await skip(broker, topic);
      await using reader = await GroupReader.join(broker, { topic, groupId: topic });
      await reader.until(({ next }) => next.get(0) === 3);
      assertEquals(reader.chunks.at(-1)!.high, 3);
      await write(broker, topic, ["a"]);
      await reader.until(({ seen }) => seen.length === 1);
      await skip(broker, topic); // live, and caught up
      await reader.until(({ next }) => next.get(0) === 7);
      assertEquals([reader.chunks.at(-1)!.high, reader.values], [7, ["a"]]);
      assertEquals(await reader.commit(), "committed");
      assertEquals([...await broker.committed(topic, topic)], [[0, 7]]);
      const epoch = reader.membership.seek(0, 4);
      await reader.until(({ chunks }) => chunks.some((chunk) => chunk.epoch === epoch));
      await reader.until(({ next }) => next.get(0) === 7);
      assertEquals(reader.values, ["a"]);
    },
  );

  test("tells how far it is of paused partitions, too, when they go on", async (broker, topic) => {
    await broker.ensure(topic, { partitions: 1 });
    await using reader = await GroupReader.join(broker, { topic, groupId: topic });
    await reader.until(({ statuses }) => statuses.some(({ type }) => type === "assigned"));
    reader.membership.pause([0]);
    await skip(broker, topic);
    reader.membership.resume([0]);
    await reader.until(({ next }) => next.get(0) === 3);
  });

  test("gives partitions that were added later", async (broker, topic) => {
    await broker.ensure(topic, { partitions: 1 });
    await using reader = await GroupReader.join(broker, { topic, groupId: topic });
    await reader.until(({ assignment }) => assignment?.partitions.length === 1);
    await grow(broker, topic, 2);
    await write(broker, topic, ["early"], 1);
    await reader.until(({ seen }) => seen.length === 1);
    assertEquals(reader.seen[0]!.partition, 1);
  });

  test("a producer finds partitions that were added later", async (broker, topic) => {
    await broker.ensure(topic, { partitions: 1 });
    const producer = await openProducer(broker, topic);
    await producer.send(record("k", "v"));
    await grow(broker, topic, 2);
    assertEquals(await producer.send(record("k", "v", { partition: 1 })), {
      partition: 1,
      offset: 0,
    });
  });

  test("gives topics only to their subscribers", async (broker, topic) => {
    const other = unique("other");
    for (const name of [topic, other]) await broker.ensure(name, { partitions: 2 });
    await using a = await GroupReader.join(broker, { topic, groupId: topic });
    await a.until(({ assignment }) => assignment?.partitions.length === 2);
    await using b = await GroupReader.join(broker, { topic: other, groupId: topic });
    await b.until(({ assignment }) => assignment?.partitions.length === 2);
    await a.until(({ assignments }) =>
      assignments.length >= 2 && assignments.at(-1)!.partitions.length === 2
    );
    await write(broker, topic, ["a"], 0);
    await write(broker, other, ["b"], 1);
    await a.until(({ seen }) => seen.length > 0);
    await b.until(({ seen }) => seen.length > 0);
    assertEquals([a.values, b.values], [["a"], ["b"]]);
  });

  test("leave() hands the partitions on, rejoin() takes part again", async (broker, topic) => {
    await broker.ensure(topic, { partitions: 2 });
    await using first = await GroupReader.join(broker, { topic, groupId: topic });
    await first.until(({ assignment }) => assignment?.partitions.length === 2);
    await using second = await GroupReader.join(broker, { topic, groupId: topic });
    await second.until(({ assignment }) => assignment?.partitions.length === 1);
    await first.membership.leave();
    await second.until(({ assignment }) => assignment?.partitions.length === 2);
    first.membership.rejoin();
    await second.until(({ assignment }) => assignment?.partitions.length === 1);
    await first.until(({ assignment }) => assignment?.partitions.length === 1);
  });

  testMemberContract(fixture);
}
