/** What becomes of kafkajs's clients when something fails, without a broker. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type {
  GroupHandlers,
  JoinOptions,
  Producer,
  ProducerOptions,
} from "../../src/kafka/client/broker.ts";
import { KafkaError } from "../../src/kafka/client/errors.ts";
import { KafkaMembership } from "../../src/kafka/kafkajs/membership.ts";
import { KafkaProducer } from "../../src/kafka/kafkajs/producer.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { KafkajsStub, type SentBatch, type StubOptions } from "../_support/kafkajs_stub.ts";
import { record } from "../_support/records.ts";

const handlers: GroupHandlers = {
  assigned: () => Promise.resolve(new Map()),
  records: () => {},
  revoking: () => {},
  status: () => {},
};

function join(stub: KafkajsStub, clock: ManualClock, signal = new AbortController().signal) {
  const context = { client: stub.client, handlers, clock, metadataMaxAge: 1_000 };
  return KafkaMembership.join(
    context,
    { topic: "t", groupId: "g", signal } as JoinOptions & {
      signal: AbortSignal;
    },
  );
}

const refuse = () => Promise.reject(new Error("no room for you"));

Deno.test("KafkaMembership.join() disconnects a consumer that cannot join", async () => {
  const stub = new KafkajsStub({ connect: refuse });
  await assertRejects(
    () => join(stub, new ManualClock()),
    KafkaError,
    'Cannot join group "g": no room for you',
  );
  assertEquals(stub.calls, ["connect", "disconnect"]);
});

Deno.test("KafkaMembership.join() disconnects after an abort, when kafkajs can bear it", async () => {
  const connecting = Promise.withResolvers<void>();
  const stub = new KafkajsStub({ connect: () => connecting.promise });
  const ending = new AbortController();
  const joining = join(stub, new ManualClock(), ending.signal);
  ending.abort(new TypeError("enough"));
  await assertRejects(() => joining, TypeError, "enough");
  assertEquals(stub.calls, ["connect"]);
  connecting.resolve();
  await stub.disconnected;
  assertEquals(stub.calls, ["connect", "subscribe", "disconnect"]);
});

Deno.test("KafkaMembership has no timer while it has left its group", async () => {
  const clock = new ManualClock();
  const member = await join(new KafkajsStub({}), clock);
  await clock.tick(0);
  const running = clock.pending;
  await member.leave();
  const left = clock.pending;
  member.rejoin();
  await clock.tick(0);
  assertEquals([running, left, clock.pending], [1, 0, 1]);
  await member.close();
  assertEquals(clock.pending, 0);
});

const OPTIONS: ProducerOptions = {
  topic: "t",
  lingerMs: 1,
  batchSize: 1_000,
  bufferMemory: 32 * 2 ** 20,
  compression: "none",
  deliveryTimeoutMs: 20_000,
  startTimeoutMs: 10_000,
};

function open(
  options: StubOptions,
  { partitions = 1, ...more }: Partial<ProducerOptions> & { partitions?: number } = {},
  clock = new ManualClock(),
  maxBytes = 1_000_000,
) {
  const stub = new KafkajsStub(options);
  const { signal } = new AbortController();
  const limits = () => Promise.resolve({ topic: "t", partitions, maxBytes });
  const producer = KafkaProducer.open(
    () => stub.client,
    { ...OPTIONS, ...more, signal },
    limits,
    clock,
  );
  return { stub, clock, producer };
}

Deno.test("KafkaProducer.open() says what it could not do, and leaves nothing connected", async () => {
  const { stub, producer } = open({ connect: refuse });
  await assertRejects(
    () => producer,
    KafkaError,
    'Cannot open a producer for topic "t": no room for you',
  );
  assertEquals(stub.calls, ["connect", "disconnect"]);
});

Deno.test("KafkaProducer ends with what its status callback throws", async () => {
  let lost = true;
  const { clock, producer } = open({
    send() {
      const error = Object.assign(new Error("reset"), { code: "ECONNRESET" });
      return lost ? Promise.reject(error) : Promise.resolve();
    },
  }, {
    status() {
      throw new TypeError("of the user's");
    },
  });
  const writer = await producer;
  void writer.add(record("k", "v"));
  await clock.tick(1);
  await clock.tick(0);
  await assertRejects(async () => await writer.add(record("k", "v")), TypeError, "of the user's");
  lost = false;
  await clock.tick(10_000);
  await assertRejects(() => writer.flush(), TypeError, "of the user's");
  await writer.close();
});

const reset = () => Promise.reject(Object.assign(new Error("reset"), { code: "ECONNRESET" }));

Deno.test("KafkaProducer sends again only what was not confirmed when one of two brokers is lost", async () => {
  let lost = true;
  const { stub, clock, producer } = open({
    leaderOf: (partition) => partition + 1,
    send([batch]) {
      if (batch!.partition === 0 || !lost) return Promise.resolve();
      lost = false;
      return reset();
    },
  }, { partitions: 2 });
  const writer = await producer;
  const sent = [0, 1, 0, 1].map((partition, i) =>
    writer.send(record("k", String(i), { partition }))
  );
  await clock.tick(1_000);
  assertEquals(await Promise.all(sent), [
    { partition: 0, offset: 0 },
    { partition: 1, offset: 2 },
    { partition: 0, offset: 1 },
    { partition: 1, offset: 3 },
  ]);
  assertEquals(stub.batches.map(({ values }) => values), [["0", "2"], ["1", "3"]]);
  await writer.close();
});

Deno.test("KafkaProducer sends again only the partition that was refused", async () => {
  let refusals = 1;
  const { stub, clock, producer } = open({
    send: () => Promise.resolve(refusals-- > 0 ? new Map([[1, NOT_LEADER]]) : undefined),
  }, { partitions: 3 });
  const writer = await producer;
  const sent = [0, 1, 2].map((partition) =>
    writer.send(record("k", `v${partition}`, { partition }))
  );
  await clock.tick(1_000);
  await Promise.all(sent);
  const stored = stub.requests.map((batches) => batches.map(({ values }) => values[0]));
  assertEquals(stored, [["v0", "v2"], ["v1"]]);
  await writer.close();
});

/** The numbers of the error codes, and what the log looks like of a producer's requests. */
const NOT_LEADER = 6, OUT_OF_ORDER = 45, UNAUTHORIZED = 29;

const numbersOf = (sent: readonly SentBatch[]) =>
  sent.map(({ producerId, baseSequence, values }) => [Number(producerId), baseSequence, ...values]);

Deno.test("KafkaProducer sends a batch again with its own numbers when the answer is lost", async () => {
  const asked: SentBatch[] = [];
  const { stub, clock, producer } = open({
    send(batches) {
      asked.push(...batches);
      return asked.length === 2 ? reset() : Promise.resolve();
    },
  });
  const writer = await producer;
  for (const value of ["a", "b", "c"]) {
    const sent = writer.send(record("k", value));
    await clock.tick(1_000);
    await sent;
  }
  assertEquals(numbersOf(asked), [[1, 0, "a"], [1, 1, "b"], [1, 1, "b"], [1, 2, "c"]]);
  // The broker that did not answer was left: nobody else was connected.
  assertEquals(stub.calls.filter((call) => call === "connect").length, 2);
  await writer.close();
});

Deno.test("KafkaProducer sends by another client what takes three times as long as an answer may", async () => {
  const asked: SentBatch[] = [];
  const { stub, clock, producer } = open({
    send(batches) {
      asked.push(...batches);
      return asked.length === 1 ? new Promise(() => {}) : Promise.resolve();
    },
  }, { deliveryTimeoutMs: 120_000 });
  const writer = await producer;
  const sent = writer.send(record("k", "a"));
  await clock.tick(89_000);
  assertEquals(asked.length, 1);
  await clock.tick(2_000);
  await sent;
  assertEquals(numbersOf(asked), [[1, 0, "a"], [1, 0, "a"]]);
  assertEquals(stub.calls.filter((call) => call === "connect").length, 2);
  await writer.close();
});

Deno.test("KafkaProducer goes on with numbers of a new id after a batch that was given up, in that partition only", async () => {
  const asked: SentBatch[] = [];
  const { producer } = open({
    send(batches) {
      asked.push(...batches);
      const refused = batches.filter(({ values }) => values.includes("no"));
      return Promise.resolve(new Map(refused.map(({ partition }) => [partition, UNAUTHORIZED])));
    },
  }, { partitions: 2 });
  const writer = await producer;
  const send = (partition: number, value: string) => writer.send(record("k", value, { partition }));
  await Promise.all([send(0, "a"), send(1, "b")]);
  await assertRejects(() => send(0, "no"), KafkaError);
  await Promise.all([send(0, "c"), send(1, "d")]);
  assertEquals(numbersOf(asked), [
    [1, 0, "a"],
    [1, 0, "b"],
    [1, 1, "no"],
    [2, 0, "c"],
    [1, 1, "d"],
  ]);
  await writer.close();
});

Deno.test("KafkaProducer sends a batch with numbers of a new id when the broker has lost those before", async () => {
  const asked: SentBatch[] = [];
  const { clock, producer } = open({
    send(batches) {
      asked.push(...batches);
      return Promise.resolve(asked.length === 2 ? new Map([[0, OUT_OF_ORDER]]) : undefined);
    },
  });
  const writer = await producer;
  await writer.send(record("k", "a"));
  const sent = writer.send(record("k", "b"));
  await clock.tick(1_000);
  await sent;
  assertEquals(numbersOf(asked), [[1, 0, "a"], [1, 1, "b"], [2, 0, "b"]]);
  await writer.close();
});

/** Sends a value for itself, each in a batch of its own; notes its place, or why it was refused. */
function sender(writer: Producer, clock: ManualClock) {
  const outcomes = new Map<string, number | string>();
  const sending: Promise<void>[] = [];
  return {
    outcomes,
    async send(...values: string[]) {
      for (const value of values) {
        sending.push(
          writer.send(record("k", value)).then(
            ({ offset }) => void outcomes.set(value, offset),
            (error) => void outcomes.set(value, error.message),
          ),
        );
        await clock.tick(5); // as long as it lingers, behind what is in flight
      }
    },
    settled: () => Promise.all(sending),
  };
}

/** Requests that are answered by hand, in any order. */
class Asked {
  readonly requests: {
    readonly batch: SentBatch;
    readonly store: () => void;
    readonly refuse: (code: number) => void;
    readonly lose: () => void;
  }[] = [];

  readonly send: NonNullable<StubOptions["send"]> = ([batch]) => {
    const { promise, resolve, reject } = Promise.withResolvers<Map<number, number> | void>();
    this.requests.push({
      batch: batch!,
      store: resolve,
      refuse: (code) => resolve(new Map([[0, code]])),
      lose: () => reject(Object.assign(new Error("reset"), { code: "ECONNRESET" })),
    });
    return promise;
  };

  get values(): string[] {
    return this.requests.map(({ batch }) => batch.values.join());
  }
}

/** Opens a producer that has sent "a", and has "b" to "e" in flight, as requests 1 to 4. */
async function withFourInFlight(options: Partial<ProducerOptions> = {}) {
  const asked = new Asked();
  const { clock, producer } = open({ send: asked.send }, options);
  const writer = await producer;
  const { send, settled, outcomes } = sender(writer, clock);
  await send("a", "b", "c", "d", "e");
  assertEquals(asked.values, ["a"]); // alone: no broker knows this producer yet
  asked.requests[0]!.store();
  await clock.tick(0);
  assertEquals(asked.values, ["a", "b", "c", "d", "e"]);
  return { asked, clock, writer, send, settled, outcomes };
}

Deno.test("KafkaProducer has five batches of a partition in flight at most", async () => {
  const { asked, clock, writer, send, settled, outcomes } = await withFourInFlight();
  await send("f", "g", "h");
  assertEquals(asked.values.slice(5), ["f"]);
  asked.requests[1]!.store();
  await clock.tick(0);
  // What lingered meanwhile follows in one batch.
  assertEquals(asked.values.slice(6), ["g,h"]);
  for (const { store } of asked.requests) store();
  await settled();
  assertEquals(outcomes, new Map([..."abcdefgh"].map((value, i) => [value, i])));
  await writer.close();
});

Deno.test("KafkaProducer sends again, in order and with their numbers, a batch whose answer is lost and those after it", async () => {
  const { asked, clock, writer, settled } = await withFourInFlight();
  asked.requests[1]!.lose();
  await clock.tick(500);
  assertEquals(asked.requests.length, 5); // before all are answered nothing is sent
  asked.requests[2]!.store(); // the broker had stored the one before
  asked.requests[3]!.refuse(NOT_LEADER);
  asked.requests[4]!.refuse(OUT_OF_ORDER);
  await clock.tick(100);
  assertEquals(asked.values.slice(5), ["b"]);
  asked.requests[5]!.store();
  await clock.tick(0);
  assertEquals(asked.values.slice(6), ["d", "e"]);
  for (const { store } of asked.requests) store();
  await settled();
  const batches = asked.requests.map(({ batch }) => batch);
  assertEquals(numbersOf(batches.slice(5)), [[1, 1, "b"], [1, 3, "d"], [1, 4, "e"]]);
  await writer.close();
});

Deno.test("KafkaProducer gives batches after one that is refused other numbers", async () => {
  const { asked, clock, writer, settled, outcomes } = await withFourInFlight();
  asked.requests[1]!.refuse(UNAUTHORIZED);
  asked.requests[2]!.refuse(OUT_OF_ORDER);
  asked.requests[3]!.lose(); // not stored either: those before it are not
  asked.requests[4]!.refuse(OUT_OF_ORDER);
  await clock.tick(0);
  assertEquals(asked.values.slice(5), ["c"]);
  asked.requests[5]!.store();
  await clock.tick(0);
  for (const { store } of asked.requests) store();
  await settled();
  assertEquals(numbersOf(asked.requests.map(({ batch }) => batch).slice(5)), [
    [2, 0, "c"],
    [2, 1, "d"],
    [2, 2, "e"],
  ]);
  assertEquals([...outcomes.keys()], ["a", "b", "c", "d", "e"]);
  assertStringIncludes(String(outcomes.get("b")), "Cannot send");
  await writer.close();
});

Deno.test("KafkaProducer gives up with a batch those after it that may be stored: numbered anew they could be twice", async () => {
  const { asked, clock, writer, settled, outcomes } = await withFourInFlight({
    deliveryTimeoutMs: 1_000,
  });
  asked.requests[1]!.lose();
  asked.requests[2]!.lose();
  asked.requests[3]!.refuse(OUT_OF_ORDER);
  asked.requests[4]!.refuse(OUT_OF_ORDER);
  await clock.tick(900);
  assertEquals(asked.values.slice(5), ["b"]);
  await clock.tick(86); // its time is over, and it is not answered
  assertEquals(asked.values.slice(6), ["d"]);
  for (const { store } of asked.requests) store();
  await clock.tick(0);
  for (const { store } of asked.requests) store();
  await settled();
  assertEquals(numbersOf(asked.requests.map(({ batch }) => batch).slice(6)), [
    [2, 0, "d"],
    [2, 1, "e"],
  ]);
  for (const value of ["b", "c"]) {
    assertStringIncludes(String(outcomes.get(value)), "within 1000 ms: ");
  }
  await writer.close();
});

Deno.test("KafkaProducer halves a batch that is too large while others follow it", async () => {
  const TOO_LARGE = 10;
  const asked = new Asked();
  const { clock, producer } = open({ send: asked.send });
  const writer = await producer;
  const { send, settled, outcomes } = sender(writer, clock);
  await send("a");
  const both = ["b", "big"].map((value) => send(value)); // in the same tick
  await Promise.all(both);
  await send("c");
  asked.requests[0]!.store();
  await clock.tick(0);
  assertEquals(asked.values, ["a", "b,big", "c"]);
  asked.requests[1]!.refuse(TOO_LARGE);
  asked.requests[2]!.refuse(OUT_OF_ORDER);
  await clock.tick(0);
  asked.requests[3]!.store(); // b
  await clock.tick(0);
  asked.requests[4]!.refuse(TOO_LARGE); // big
  asked.requests[5]!.refuse(OUT_OF_ORDER);
  await clock.tick(0);
  asked.requests[6]!.store();
  await settled();
  assertEquals(numbersOf(asked.requests.map(({ batch }) => batch)), [
    [1, 0, "a"],
    [1, 1, "b", "big"],
    [1, 3, "c"],
    [1, 1, "b"],
    [1, 2, "big"],
    [1, 3, "c"],
    [2, 0, "c"],
  ]);
  assertEquals([...outcomes.keys()].toSorted(), ["a", "b", "big", "c"]);
  assertStringIncludes(String(outcomes.get("big")), "MESSAGE_TOO_LARGE");
  await writer.close();
});

/** Adds records of `size` bytes until it is asked to wait; returns how many were taken. */
function fill(producer: Producer, size: number): [number, Promise<void>] {
  for (let count = 1;; count++) {
    const room = producer.add(record(null, "x".repeat(size)));
    if (room) return [count, room];
  }
}

Deno.test("KafkaProducer is bounded by bytes too: a few large records ask to be awaited", async () => {
  const gate = Promise.withResolvers<void>();
  const { stub, producer } = open({ send: () => gate.promise }, { bufferMemory: 1_000_000 });
  const writer = await producer;
  const [count, room] = fill(writer, 100_000);
  // What is in flight counts until it is confirmed.
  assertEquals(count, 10);
  let free = false;
  room.then(() => free = true);
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals([free, stub.batches.length], [false, 0]);
  gate.resolve();
  await room;
  await writer.flush();
  assertEquals(stub.batches.flatMap(({ values }) => values).length, 10);
  await writer.close();
});

Deno.test("KafkaProducer takes a record that is larger than its whole memory, alone", async () => {
  const { stub, producer } = open({}, { bufferMemory: 1_000 });
  const writer = await producer;
  for (let i = 0; i < 3; i++) await writer.add(record(null, "x".repeat(50_000)));
  assertEquals(stub.batches.map(({ values }) => values.length), [1, 1, 1]);
  await writer.close();
});

Deno.test("KafkaProducer sends a batch that has enough bytes without lingering", async () => {
  const { stub, clock, producer } = open({}, { lingerMs: 60_000 }, new ManualClock(), 10_000);
  const writer = await producer;
  for (let i = 0; i < 10; i++) void writer.add(record(null, "x".repeat(2_000)));
  await clock.tick(0);
  // 4 of 2,093 bytes are what the topic takes at a time.
  assertEquals(stub.batches.map(({ values }) => values.length), [4, 4]);
  await writer.flush();
  assertEquals(stub.batches.map(({ values }) => values.length), [4, 4, 2]);
  await writer.close();
});

Deno.test("KafkaProducer makes batches of a megabyte at most where a topic takes more", async () => {
  const { stub, producer } = open({}, {}, new ManualClock(), 100_000_000);
  const writer = await producer;
  for (let i = 0; i < 40; i++) await writer.add(record(null, "x".repeat(100_000)));
  await writer.add(record(null, "x".repeat(5_000_000)));
  await writer.flush();
  const sizes = stub.batches.map(({ values }) => values.length);
  assertEquals(sizes, [10, 10, 10, 10, 1]);
  await writer.close();
});

Deno.test("KafkaProducer does not repeat for long what fails in a way that nobody knows", async () => {
  const { stub, producer } = open({ send: () => Promise.reject(new Error("what is this")) });
  const writer = await producer;
  await assertRejects(() => writer.send(record("k", "v")), KafkaError, "what is this");
  assertEquals(stub.calls.filter((call) => call === "send").length, 1);
  await writer.close();
});
