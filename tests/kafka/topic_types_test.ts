import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { z } from "zod";
import { App, BytesCodec, type Codec, JsonCodec, MemoryCache, TextCodec } from "../../mod.ts";
import { AvroCodec } from "../../src/codecs/avro/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/broker.ts";
import { type Message, type Tombstone, tombstone, Topic } from "../../src/kafka/mod.ts";

// What must compile, and what must not: the compiler is the test, and the test runner compiles this file.

/** Compiles only where `Actual` is exactly `Expected`. */
type Exactly<Actual, Expected> = (<T>() => T extends Actual ? 1 : 2) extends
  (<T>() => T extends Expected ? 1 : 2) ? true : false;
function isExactly<Actual, Expected>(_same: Exactly<Actual, Expected>): void {}

interface Reaction {
  readonly emoji: string;
}

Deno.test("Topic takes the types of keys and values from its codecs", () => {
  const options = { broker: new MemoryBroker(), groupId: "types" };
  const text = new Topic("text", options);
  isExactly<typeof text, Topic<string, string>>(true);
  const json = new Topic("json", { ...options, codec: new JsonCodec<Reaction>() });
  isExactly<typeof json, Topic<string, Reaction>>(true);
  const avro = new Topic("avro", { ...options, codec: new AvroCodec<Reaction>("string") });
  isExactly<typeof avro, Topic<string, Reaction>>(true);
  const both = new Topic("both", {
    ...options,
    keyCodec: new BytesCodec(),
    codec: new TextCodec(),
  });
  isExactly<typeof both, Topic<Uint8Array, string>>(true);
  const schema = z.object({ emoji: z.string() });
  const checked = new Topic("checked", { ...options, codec: new JsonCodec({ schema }) });
  isExactly<typeof checked, Topic<string, { emoji: string }>>(true);
  const slow: Codec<number> = { encode: () => new Uint8Array(), decode: () => Promise.resolve(1) };
  const asynchronous = new Topic("slow", { ...options, codec: slow });
  isExactly<typeof asynchronous, Topic<string, number>>(true);
  assertEquals(asynchronous.config, { groupId: "types" });
});

Deno.test("Topic gives its types to handlers, and asks them of what flows into it", () => {
  const options = { broker: new MemoryBroker(), groupId: "types" };
  const topic = new Topic("json", { ...options, codec: new JsonCodec<Reaction>() });
  const app = new App();
  app.handle(topic, (message) => {
    isExactly<typeof message, Message<string, Reaction>>(true);
    isExactly<typeof message.key, string | null>(true);
    return [message.key, message.value] as const;
  }, { sink: topic });
  app.handle(["🐟"], (emoji) => ({ key: emoji, value: { emoji } }), { sink: topic });
  app.handle(topic, (message) => message, { sink: topic });
  // @ts-expect-error the values are reactions
  app.handle(["🐟"], (emoji) => [emoji, emoji] as const, { sink: topic });
  // @ts-expect-error the keys are texts
  app.handle([1], (n) => ({ key: n, value: { emoji: "🐟" } }), { sink: topic });
  // @ts-expect-error the values are reactions
  const send = () => topic.send({ key: "fish", value: "🐟" });
  assertEquals(typeof send, "function");
});

Deno.test("Topic takes a tombstone wherever it takes a value; reading tells it where the type does", () => {
  const options = { broker: new MemoryBroker(), groupId: "types" };
  const topic = new Topic("json", { ...options, codec: new JsonCodec<Reaction>() });
  const app = new App();
  app.handle(["🐟"], (emoji) => ({ key: emoji, value: tombstone }), { sink: topic });
  app.handle(["🐟"], (emoji) => [emoji, tombstone] as const, { sink: topic });
  app.handle(["🐟"], function* (emoji) {
    yield [emoji, tombstone] as const;
    yield { key: emoji, value: tombstone };
  }, { sink: topic });
  app.handle(["🐟"], (emoji) => [emoji, emoji === "🐟" ? tombstone : { emoji }] as const, {
    sink: topic,
  });
  const send = () => topic.send(["fish", tombstone]);
  // @ts-expect-error null is a value, which this topic does not have
  const sendNull = () => topic.send(["fish", null]);
  // @ts-expect-error a message has a value
  const sendNothing = () => topic.send({ key: "fish" });
  const deleting = new Topic<string, Reaction | Tombstone>("json", {
    ...options,
    codec: new JsonCodec<Reaction>(),
  });
  app.handle(deleting, ({ key, value }) => {
    if (value === tombstone) isExactly<typeof value, Tombstone>(true);
    else isExactly<typeof value, Reaction>(true);
    return [key, value] as const;
  }, { sink: topic });
  assertEquals([send, sendNull, sendNothing].map((call) => typeof call).length, 3);
});

Deno.test('Topic with keys: "required" gives keys that can be those of a Cache', async () => {
  await using broker = new MemoryBroker();
  const keyless = new Topic("orders", { broker, codec: new JsonCodec<number>() });
  await keyless.send({ key: "fish", value: 1 });
  await keyless.send({ value: 2 });
  await keyless.send({ key: "crab", value: 3 });
  const orders = new Topic("orders", {
    broker,
    groupId: "keyed",
    offset: "earliest",
    codec: new JsonCodec<number>(),
    keys: "required",
  });
  isExactly<typeof orders, Topic<string, number, "required">>(true);
  const totals = new MemoryCache<number>();
  const skipped: string[] = [];
  const app = new App({
    onStatus: (event) => event.type === "skipped" && skipped.push(event.error.message),
  });
  const stop = new AbortController();
  app.handle(orders, (message) => {
    isExactly<typeof message.key, string>(true);
    totals.set(message.key, message.value);
    if (message.key === "crab") stop.abort();
  }, { onError: "skip", name: "totals" });
  await app.stream({ signal: stop.signal });
  assertEquals([await totals.get("fish"), await totals.get("crab")], [1, 3]);
  assertEquals(skipped.length, 1);
  assertStringIncludes(skipped[0]!, "Cannot decode the key of a message");
  assertStringIncludes(skipped[0]!, 'it has none, and the topic has keys: "required"');
  await assertRejects(
    () => orders.send({ value: 4 }),
    TypeError,
    'Cannot send to topic "orders" as there is no key, and the topic has keys: "required"',
  );
  // A message of it can be sent to any topic with such keys and values.
  app.handle(orders, (message) => message, { sink: keyless });
});
