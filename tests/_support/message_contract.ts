/** The part of the topic contract that is about messages, in and out. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { AvroCodec } from "../../src/codecs/avro/mod.ts";
import type { Codec } from "../../src/codecs/codec.ts";
import { JsonCodec } from "../../src/codecs/json_codec.ts";
import { TextCodec } from "../../src/codecs/text_codec.ts";
import { CodecError } from "../../src/errors.ts";
import { openSink } from "../../src/flow/source/feed.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import { KafkaError } from "../../src/kafka/client/errors.ts";
import { Message } from "../../src/kafka/topic/message.ts";
import type { BrokerStatus } from "../../src/kafka/client/status.ts";
import { type Tombstone, tombstone } from "../../src/tombstone.ts";
import type { Topic } from "../../src/kafka/topic/topic.ts";
import { FeedDriver } from "./feed_driver.ts";
import { unique } from "./kafka.ts";
import { texts, write } from "./records.ts";
import { testOn, type TopicFixture } from "./topic_fixture.ts";

/** Registers the tests of what messages are, in and out. */
export function testMessageContract(fixture: TopicFixture): void {
  const test = testOn(fixture);
  const host = { clock: undefined, stopping: undefined } as unknown as Parameters<
    Topic[typeof openSink]
  >[0];

  test("gives CodecError with place and bytes, and goes on", async ({ make }) => {
    await make().send({ key: "k", value: "no number" });
    await make().send({ key: "k", value: "42" });
    const number = {
      encode: (value: number) => new TextEncoder().encode(String(value)),
      decode(bytes: Uint8Array) {
        const value = Number(new TextDecoder().decode(bytes));
        if (Number.isNaN(value)) throw new SyntaxError("not a number");
        return value;
      },
    };
    await using driver = new FeedDriver(make({ codec: number }));
    await driver.until((messages) => messages.length === 2);
    const [bad, good] = driver.messages;
    const error = assertThrows(() => bad!.value, CodecError, "offset 0: not a number");
    assertEquals(new TextDecoder().decode(error.bytes!), "no number");
    assertInstanceOf(error.cause, SyntaxError);
    assertEquals(good!.value, 42);
  });

  test("waits for codecs that answer with promises, in order", async ({ make }) => {
    const slow = {
      encode: (value: string) => Promise.resolve(new TextEncoder().encode(value)),
      decode: async (bytes: Uint8Array) => {
        const value = new TextDecoder().decode(bytes);
        if (value === "bad") throw new SyntaxError("bad");
        await Promise.resolve();
        return value.toUpperCase();
      },
    };
    const topic = make({ codec: slow });
    for (const value of ["a", "bad", "c"]) await topic.send({ value });
    await using driver = new FeedDriver(topic);
    await driver.until((messages) => messages.length === 3);
    const [a, bad, c] = driver.messages;
    assertEquals([a!.value, c!.value], ["A", "C"]);
    assertThrows(() => bad!.value, CodecError);
  });

  test("waits for a codec that answers with a promise now and then", async ({ make }) => {
    const text = new TextCodec();
    const codec = {
      encode: (value: string) => text.encode(value),
      decode(bytes: Uint8Array) {
        const value = text.decode(bytes);
        return value.startsWith("slow") ? Promise.resolve(value) : value;
      },
    };
    const topic = make({ codec, keyCodec: codec });
    const sent = ["quick", "slow", "quick again", "slow again"];
    for (const value of sent) await topic.send({ key: value, value });
    const safeHandlers: unknown[] = [];
    gateOf(topic).guard((message) => safeHandlers.push((message as { value: unknown }).value) > 0);
    await using driver = new FeedDriver(topic);
    await driver.until((messages) => messages.length === 4);
    assertEquals(driver.messages.map(({ key, value }) => [key, value]), sent.map((v) => [v, v]));
    assertEquals(safeHandlers, sent);
  });

  test("does not decode what nobody reads, where the codec is synchronous", async ({ make }) => {
    const text = new TextCodec();
    const decoded: string[] = [];
    const codec = {
      synchronous: true,
      encode: (value: string) => text.encode(value),
      decode(bytes: Uint8Array) {
        decoded.push(text.decode(bytes));
        return text.decode(bytes);
      },
    };
    const topic = make({ codec });
    for (const value of ["a", "b"]) await topic.send({ value });
    await using driver = new FeedDriver(topic);
    await driver.until((messages) => messages.length === 2);
    assertEquals(driver.messages[1]!.value, "b");
    assertEquals(decoded, ["b"]);
  });

  test("names the codec that returns no bytes", async ({ name, make }) => {
    const decode = () => "";
    const codecs = {
      "a string": { encode: (text: string) => text, decode },
      "a promise of a string": { encode: (text: string) => Promise.resolve(text), decode },
      "nothing": { encode: () => undefined, decode },
    } as unknown as Record<string, Codec<string>>;
    for (const codec of Object.values(codecs)) {
      const message = { key: "k", value: "v" };
      const error = await assertRejects(() => make({ codec }).send(message), CodecError);
      assertStringIncludes(error.message, "Cannot encode the value of a message");
      assertStringIncludes(error.message, "encode() of the value's codec returned something else");
      assertEquals(error.topic, name);
      await assertRejects(
        () => make({ keyCodec: codec }).send(message),
        CodecError,
        "encode() of the key's codec returned something else",
      );
    }
    assertEquals([...await make().lag()], [[0, 0]]);
  });

  test("takes the null of a codec for a tombstone", async ({ make }) => {
    const codec = { encode: () => null, decode: () => "" } as unknown as Codec<string>;
    await make({ codec }).send({ key: "k", value: "v" });
    await using driver = new FeedDriver(make());
    await driver.until((messages) => messages.length === 1);
    assertEquals(driver.messages[0]!.value as unknown, tombstone);
  });

  test("refuses headers that are not valid, and times that are not valid", async ({ name, make }) => {
    const send = (more: object) => make().send({ key: "k", value: "v", ...more });
    await assertRejects(
      () => send({ headers: { h: 5 } }),
      TypeError,
      `header "h" to topic "${name}"`,
    );
    await assertRejects(() => send({ headers: ["h"] }), TypeError, "headers are names with values");
    await assertRejects(
      () => send({ headers: "text" }),
      TypeError,
      "headers are names with values",
    );
    await assertRejects(() => send({ headers: [[5, "x"]] }), TypeError, "got [ 5,");
    for (const timestamp of [NaN, -1, 1.5, new Date()]) {
      await assertRejects(
        () => send({ timestamp }),
        RangeError,
        "timestamp must be an integer >= 0",
      );
    }
  });

  test("passes a message on that was written without a time", async ({ name, make }) => {
    const origin = { topic: name, partition: 0 };
    const bytes = new TextEncoder().encode("old");
    const read = { offset: 0, key: null, value: bytes, timestamp: -1, headers: [] };
    const topic = make();
    const message = new Message<string, string>(origin, read, {
      key: new TextCodec(),
      value: new TextCodec(),
    });
    const sink = topic[openSink](host);
    await sink.write(message);
    await sink.flush!();
    await sink.close!();
    await using driver = new FeedDriver(topic);
    await driver.until((messages) => messages.length === 1);
    assertEquals(driver.messages[0]!.value, "old");
    assert(driver.messages[0]!.timestamp > 0);
  });

  test("carries Avro", async ({ make }) => {
    const path = new URL("../../examples/reaction.avsc", import.meta.url);
    const codec = await AvroCodec.fromFile<{ emoji: string; by: string | null; at: Date }>(path);
    const topic = make({ codec });
    const sent = { emoji: "🐟", by: null, at: new Date(1_000) };
    await topic.send({ key: "fish", value: sent });
    await make({}).send({ key: "fish", value: "no Avro" });
    await using driver = new FeedDriver(topic);
    await driver.until((messages) => messages.length === 2);
    const [good, bad] = driver.messages;
    assertEquals(good!.value, sent);
    assertThrows(() => bad!.value, CodecError, "offset 1");
  });

  test("tells the value null from a deletion, as it was sent and passed on in any way", async ({ broker, make }) => {
    type Value = string | null | Tombstone;
    const codec = new JsonCodec<Value>();
    const topic = make({ codec });
    await topic.send({ key: "null", value: null });
    await topic.send({ key: "gone", value: tombstone });
    await using driver = new FeedDriver(topic);
    await driver.until((messages) => messages.length === 2);
    const copies = make({ codec }, unique("copies"));
    await broker.ensure(copies.name, { partitions: 1 });
    const sink = copies[openSink](host);
    for (const message of driver.messages) {
      const { key, value } = message;
      await sink.write(message);
      await sink.write([key, value]);
      await sink.write({ key, value });
      await copies.send(message);
    }
    await sink.flush!();
    await sink.close!();
    await using copied = new FeedDriver(copies);
    await copied.until((messages) => messages.length === 8);
    for (const { key, value, record } of copied.messages) {
      const expected = key === "null" ? [null, "null"] : [tombstone, null];
      assertEquals([value, record.value && new TextDecoder().decode(record.value)], expected);
    }
  });

  test("passes headers without a value through, and refuses text that UTF-8 cannot hold", async ({ name, make }) => {
    const topic = make();
    await topic.send({ key: "k", value: "v", headers: { none: null, empty: "" } });
    await using driver = new FeedDriver(topic);
    await driver.until((messages) => messages.length === 1);
    const sink = topic[openSink](host);
    await sink.write(driver.messages[0]!);
    await sink.flush!();
    await sink.close!();
    await driver.until((messages) => messages.length === 2);
    for (const { headers } of driver.messages) {
      assertEquals([...headers], [["none", null], ["empty", new Uint8Array()]]);
    }
    const send = (headers: Record<string, string>) => topic.send({ key: "k", value: "v", headers });
    const half = "half of a surrogate pair";
    await assertRejects(() => send({ "\ud83d": "x" }), TypeError, half);
    await assertRejects(() => send({ x: "\udc20" }), TypeError, `header "x" to topic "${name}"`);
    assertEquals([...await topic.lag()], [[0, 2]]);
  });

  test("passes tombstones, keyless messages and headers through", async ({ make }) => {
    const topic = make();
    await topic.send({
      key: "k",
      value: tombstone,
      headers: { constructor: "x", "__proto__x": "y" },
    });
    await topic.send(["k2", "v2"]);
    await using driver = new FeedDriver(topic);
    await driver.until((messages) => messages.length === 2);
    const [first, second] = driver.messages;
    assertEquals([first!.key, first!.value as unknown], ["k", tombstone]);
    assertEquals(new TextDecoder().decode(first!.headers.get("constructor")!), "x");
    assertEquals(first!.headers.get("toString"), undefined);
    assertEquals([second!.key, second!.value, second!.headers.size], ["k2", "v2", 0]);
  });

  test("as a sink batches, and flush() confirms in order", async ({ broker, name, make }) => {
    const sink = make()[openSink](host);
    for (let i = 0; i < 2_500; i++) await sink.write([`k${i % 7}`, `v${i}`]);
    await sink.flush!();
    assertEquals((await broker.offsets(name, "latest")).get(0), 2_500);
    await sink.close!();
    await using driver = new FeedDriver(make());
    await driver.until((messages) => messages.length === 2_500);
    assertEquals(driver.messages.map(({ value }) => value), texts("v", 2_500));
  });

  test("as a sink passes a message of another topic on, with key, headers and time", async ({ make }) => {
    const topic = make();
    await topic.send({ key: "k", value: "v", headers: { a: "b" }, timestamp: 5_000 });
    await using driver = new FeedDriver(topic);
    await driver.until((messages) => messages.length === 1);
    const sink = topic[openSink](host);
    await sink.write(driver.messages[0]!);
    await sink.flush!();
    await driver.until((messages) => messages.length === 2);
    const copy = driver.messages[1]!;
    assertEquals([copy.key, copy.value, copy.timestamp], ["k", "v", 5_000]);
    assertEquals(new TextDecoder().decode(copy.headers.get("a")!), "b");
  });

  test("as a sink refuses what has the wrong shape, the wrong partition or too many bytes", async ({ make }) => {
    const sink = make()[openSink](host);
    await sink.write(["k", "fine"]);
    const write = async (output: unknown) => await sink.write(output as [string, string]);
    await assertRejects(() => write(5), TypeError, "neither [key, value] nor { key, value }");
    await assertRejects(() => write(["k"]), TypeError, "has 1 items");
    await assertRejects(() => write({ key: "k", valeu: "v" }), TypeError, 'no "valeu"');
    await assertRejects(
      () => write(["k", undefined]),
      TypeError,
      "send tombstone to delete a key",
    );
    await assertRejects(() => write({ key: "k" }), TypeError, "as there is no value");
    await assertRejects(() => write(["k", null]), CodecError, "send tombstone to delete a key");
    await assertRejects(() => write(["k", 5]), CodecError, "a string is needed");
    await assertRejects(
      () => write({ value: "v", partition: 3 }),
      KafkaError,
      "it has 1 partitions",
    );
    await assertRejects(() => write(["big", "x".repeat(2_000_000)]), KafkaError, '"big"');
    await sink.flush!();
    await sink.close!();
  });

  test("dry sends nothing and says what it would", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    const said: BrokerStatus[] = [];
    const topic = make({ dry: true, onStatus: (status) => void said.push(status) });
    assertEquals(await topic.send({ key: "k", value: "v" }), { partition: -1, offset: -1 });
    const sink = topic[openSink](host);
    await sink.write(["k", "w"]);
    await sink.flush!();
    assertEquals((await broker.offsets(name, "latest")).get(0), 0);
    assertEquals(said.map(({ type }) => type), ["dry", "dry"]);
  });

  test("offsets() and lag() tell what is left", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 2 });
    await write(broker, name, texts("v", 5), 0);
    const topic = make();
    assertEquals([...await topic.lag()], [[0, 5], [1, 0]]);
    const driver = new FeedDriver(topic, { handle: ({ offset }) => offset < 3 });
    await driver.until((messages) => messages.length === 5);
    await driver.commit();
    await driver.crash();
    assertEquals((await topic.offsets()).get(0), { low: 0, high: 5, committed: 3 });
    assertEquals((await topic.lag()).get(0), 2);
  });
}
