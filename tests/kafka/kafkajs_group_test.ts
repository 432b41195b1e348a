/** kafkajs's member of a group, when what it asks of the group's coordinator fails. */
import { Buffer } from "node:buffer";
import { assertEquals, assertRejects } from "@std/assert";
import kafkajs from "kafkajs";
import ConsumerGroup from "kafkajs/src/consumer/consumerGroup.js";
import { createErrorFromCode } from "kafkajs/src/protocol/error.js";
import "../../src/kafka/kafkajs/repairs.ts";
import { settle } from "../../src/testing/mod.ts";
import { logger } from "../_support/kafkajs_stub.ts";

const [UNKNOWN_MEMBER, LOADING] = [25, 14];

/** A member of a group whose coordinator is the first of `coordinators`, then the next at each look. */
function member(...coordinators: object[]) {
  return new ConsumerGroup({
    retry: { initialRetryTime: 1 },
    cluster: {
      brokerPool: { brokers: { 1: {}, 2: {} } },
      findGroupCoordinator: () => Promise.resolve(coordinators.shift()),
      removeBroker: () => {},
      refreshMetadata: () => Promise.resolve(),
      refreshMetadataIfNecessary: () => Promise.resolve(),
      findTopicPartitionMetadata: () => [],
      committedOffsets: () => ({}),
    },
    groupId: "g",
    topics: [],
    topicConfigurations: {},
    logger,
    instrumentationEmitter: { emit() {} },
    assigners: [],
    maxWaitTimeInMs: 1,
  });
}

/** A coordinator that answers requests to join with errors of these numbers, then lets the member in. */
function coordinator(...errors: number[]) {
  return {
    joinGroup: () => {
      const error = errors.shift();
      if (error !== undefined) return Promise.reject(createErrorFromCode(error));
      return Promise.resolve({ generationId: 1, leaderId: "other", memberId: "m", members: [] });
    },
    syncGroup: () => Promise.resolve({ memberAssignment: Buffer.alloc(0) }),
    disconnect: () => Promise.resolve(),
  };
}

Deno.test("kafkajs: a member whose join failed joins, before it fetches", async () => {
  const asked = coordinator(UNKNOWN_MEMBER, LOADING);
  const group = member(asked, asked, asked);
  await assertRejects(() => group.joinAndSync(), Error, "loading");
  const { type } = await assertRejects(() => group.fetch("1")) as Error & { type: string };
  assertEquals(type, "REBALANCE_IN_PROGRESS"); // at which kafkajs joins
  await group.joinAndSync();
  assertEquals(await group.fetch("1"), []);
});

Deno.test("kafkajs: a member asks the group's other coordinator when one is not reached", async () => {
  const error = new kafkajs.KafkaJSConnectionError("connect ECONNREFUSED", {
    code: "ECONNREFUSED",
  });
  let asked = 0;
  const gone = { ...coordinator(), heartbeat: () => (asked++, Promise.reject(error)) };
  let beats = 0;
  const other = { heartbeat: () => Promise.resolve(++beats) };
  const found = Promise.withResolvers<object>();
  const group = member(gone, found.promise);
  await group.joinAndSync();
  await assertRejects(() => group.heartbeat({ interval: 0 }), Error, "ECONNREFUSED");
  await assertRejects(() => group.heartbeat({ interval: 0 }), Error, "ECONNREFUSED");
  assertEquals(asked, 1); // while it looks for the other, it asks nobody
  found.resolve(other);
  await settle();
  await group.heartbeat({ interval: 0 });
  assertEquals(beats, 1);
  assertEquals(group.offsetManager.coordinator, other); // to which it commits
});

/** Where a member stands whose position 10 is out of range; the leaders of the partition say one range each. */
async function outOfRange(
  ranges: [begin: number, end: number][],
  meanwhile: (group: ReturnType<typeof member>) => void = () => {},
) {
  const group = member();
  const sought: object[] = [];
  let asked = -1;
  group.seek = (position: object) => void sought.push(position);
  group.offsetManager = { nextOffset: () => "10" };
  group.cluster.refreshMetadata = () => Promise.resolve(++asked);
  group.cluster.fetchTopicsOffset = ([{ fromBeginning }]: [{ fromBeginning: boolean }]) => {
    const [begin, end] = ranges[Math.min(asked, ranges.length - 1)]!;
    meanwhile(group);
    return Promise.resolve([{ partitions: [{ offset: String(fromBeginning ? begin : end) }] }]);
  };
  await group.recoverFromOffsetOutOfRange({ topic: "t", partition: 0 });
  return { asked: asked + 1, sought };
}

Deno.test("kafkajs: a member does not believe a leader that was cut off", async () => {
  assertEquals(await outOfRange([[0, 7], [0, 12]]), { asked: 2, sought: [] });
});

Deno.test("kafkajs: a member passes over what was deleted, and commits nothing of that", async () => {
  const sought = [{ topic: "t", partition: 0, offset: "11" }];
  assertEquals(await outOfRange([[11, 12]]), { asked: 1, sought });
});

Deno.test("kafkajs: a member fails where a partition ends before what was read", async () => {
  await assertRejects(
    () => outOfRange([[0, 7]]),
    kafkajs.KafkaJSNonRetriableError,
    'cannot go on with topic "t" partition 0 at offset 10: its offsets are from 0 to 7 now',
  );
});

Deno.test("kafkajs: a member whose position is out of range goes where it was moved meanwhile", async () => {
  for (const range of [[11, 50], [0, 7]] as [number, number][]) {
    const moves: Parameters<typeof outOfRange>[1][] = [
      (group) => group.seekOffset.set("t", 0, "3"),
      (group) => group.offsetManager.nextOffset = () => "3",
      (group) => group.offsetManager = { nextOffset: () => "10" },
    ];
    for (const move of moves) {
      assertEquals(await outOfRange([range], move), { asked: 1, sought: [] });
    }
  }
});
