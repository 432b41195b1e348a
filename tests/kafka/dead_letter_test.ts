import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  App,
  CodecError,
  deadLetter,
  HandlerError,
  JsonCodec,
  Proxy,
  SinkError,
} from "../../mod.ts";
import { type Message, redrive, type Tombstone, tombstone, Topic } from "../../src/kafka/mod.ts";
import { openSink } from "../../src/flow/source/feed.ts";
import type { Host } from "../../src/flow/source/host.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { settle } from "../../src/testing/mod.ts";

const json = {
  encode: (value: unknown) => new TextEncoder().encode(JSON.stringify(value)),
  decode: (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes)) as number,
};
const text = (bytes: Uint8Array | null | undefined) => bytes && new TextDecoder().decode(bytes);
const facts = ({ headers }: Message) =>
  Object.fromEntries([...headers].map(([name, value]) => [name, text(value)]));

/** Reads what is in a topic now. */
async function contentOf(topic: Topic): Promise<Message[]> {
  const { high } = (await topic.offsets()).get(0)!;
  const messages: Message[] = [];
  if (high === 0) return messages;
  for await (const message of topic) {
    messages.push(message);
    if (message.offset === high - 1) break;
  }
  return messages;
}

Deno.test("deadLetter(topic) keeps bytes, key, headers and time, and says what happened", async () => {
  await using broker = new MemoryBroker();
  const options = { broker, groupId: "g", offset: "earliest" } as const;
  await using input = new Topic("in", { ...options, codec: json });
  await using raw = new Topic("in", options);
  await using dead = new Topic("dead", options);
  await raw.send({ key: "k", value: "not json", headers: { trace: "t" }, timestamp: 5 });
  await raw.send({ key: "k", value: "2", headers: { "dead-letter-error": "old" } });
  await raw.send({ value: "3" });
  await raw.send({ value: "4" });
  const app = new App();
  app.handle(input, (message) => {
    if (message.offset === 3) queueMicrotask(() => app.close());
    const value = message.value;
    if (value === 2) throw new RangeError("two");
    return value;
  }, {
    name: "sum",
    sink: (value) => {
      if (value === 3) throw new TypeError("three");
    },
    onError: deadLetter(dead),
  });
  await app.stream();
  const [first, second, third, ...more] = await contentOf(dead);
  assertEquals(more, []);
  const place = (offset: string) => ({
    "dead-letter-flow": "sum",
    "dead-letter-topic": "in",
    "dead-letter-partition": "0",
    "dead-letter-offset": offset,
  });
  const { "dead-letter-error": error, "dead-letter-time": time, ...rest } = facts(first!);
  assertEquals(error!.startsWith("SyntaxError: Unexpected token"), true);
  assertEquals(Math.abs(Date.parse(time!) - Date.now()) < 60_000, true);
  assertEquals(rest, { trace: "t", "dead-letter-step": "CodecError", ...place("0") });
  assertEquals([first!.key, first!.value, first!.timestamp], ["k", "not json", 5]);
  const told = facts(second!);
  assertEquals(second!.value, "2");
  assertEquals(told["dead-letter-error"], "RangeError: two");
  assertEquals(told["dead-letter-step"], "HandlerError");
  assertEquals(third!.value, "3");
  assertEquals(facts(third!)["dead-letter-step"], "SinkError");
});

Deno.test("deadLetter(topic) encodes a value that is not a message of a topic", async () => {
  await using broker = new MemoryBroker();
  await using dead = new Topic("dead", { broker, groupId: "g", offset: "earliest" });
  const app = new App();
  app.handle(["poison"], () => {
    throw new Error("always");
  }, { name: "eat", onError: deadLetter(dead) });
  await app.stream();
  const [letter] = await contentOf(dead);
  assertEquals(letter!.value, "poison");
  assertEquals(facts(letter!)["dead-letter-flow"], "eat");
  assertEquals("dead-letter-topic" in facts(letter!), false);
});

Deno.test("redrive() sends a dead letter back as it was", async () => {
  await using broker = new MemoryBroker();
  const options = { broker, groupId: "g", offset: "earliest" } as const;
  await using input = new Topic("in", options);
  await using dead = new Topic("dead", options);
  await input.send({ key: "k", value: "v", headers: { trace: "t" }, timestamp: 5 });
  const app = new App();
  let failures = 1;
  const seen: Message[] = [];
  app.handle(input, (message) => {
    if (failures-- > 0) throw new Error("once");
    seen.push(message);
    queueMicrotask(() => app.close());
  }, { onError: deadLetter(dead) });
  app.handle(dead, (letter) => letter, { sink: redrive(input) });
  await app.stream();
  const [{ key, value, timestamp, offset }] = seen as [Message];
  assertEquals([key, value, timestamp, offset], ["k", "v", 5, 1]);
  assertEquals(facts(seen[0]!), { trace: "t" });
});

Deno.test("redrive() refuses what it cannot send back", async () => {
  await using broker = new MemoryBroker();
  const options = { broker, groupId: "g", offset: "earliest" } as const;
  await using dead = new Topic("dead", options);
  await using other = new Topic("other", options);
  await dead.send({ value: "v" });
  const app = new App();
  app.handle(dead, (letter) => letter, { sink: redrive(other) });
  await assertRejects(() => app.stream(), SinkError, "it is not a dead letter");
  await dead.send({ value: "v", headers: { "dead-letter-topic": "in" } });
  await using again = new Topic("dead", { ...options, offset: { 0: 1 }, groupId: "h" });
  const second = new App();
  second.handle(again, (letter) => letter, { sink: redrive(other) });
  await assertRejects(() => second.stream(), SinkError, "pass that topic to redrive()");
});

Deno.test("redrive() waits for the flushes of all its topics, also when one fails", async () => {
  const slow = Promise.withResolvers<void>();
  const origin = (name: string, flush: () => Promise<void>) => ({
    name,
    [openSink]: () => ({ write: () => {}, flush }),
  });
  const port = redrive(
    origin("broken", () => Promise.reject(new Error("refused"))),
    origin("slow", () => slow.promise),
  )[openSink](undefined as unknown as Host);
  let settled = false;
  const flushed = port.flush!().finally(() => settled = true);
  flushed.catch(() => {});
  await settle();
  assertEquals(settled, false);
  slow.resolve();
  await assertRejects(() => flushed, Error, "refused");
});

Deno.test("an error of a codec tells its flow and its message", async () => {
  await using broker = new MemoryBroker();
  await using input = new Topic("in", { broker, groupId: "g", offset: "earliest", codec: json });
  await using raw = new Topic("in", { broker });
  await raw.send({ value: "{" });
  const app = new App();
  app.handle(input, ({ value }) => value, { name: "sum" });
  const error = await assertRejects(() => app.stream(), CodecError);
  assertEquals([error.flow, (error.root as Message).offset], ["sum", 0]);
  assertEquals(error instanceof HandlerError, false);
});

Deno.test("deadLetter(topic) behind Proxies keeps the message of the topic", async () => {
  await using broker = new MemoryBroker();
  const options = { broker, groupId: "g", offset: "earliest" } as const;
  await using input = new Topic("in", options);
  await using dead = new Topic("dead", options);
  await input.send({ key: "k", value: "original", headers: { trace: "t" }, timestamp: 5 });
  const app = new App();
  const [upper, twice] = [new Proxy<string>(), new Proxy<string>()];
  app.handle(input, ({ value }) => value.toUpperCase(), { sink: upper });
  app.handle(upper, (text) => text + text, { sink: twice });
  const failures: unknown[] = [];
  app.handle(twice, () => {
    queueMicrotask(() => app.close());
    throw new Error("no");
  }, {
    name: "last",
    onError: (error) => {
      failures.push(error.root, (error.origin as Message).offset);
      return { deadLetter: dead };
    },
  });
  await app.stream();
  assertEquals(failures, ["ORIGINALORIGINAL", 0]);
  const [letter] = await contentOf(dead);
  assertEquals([letter!.key, letter!.value, letter!.timestamp], ["k", "original", 5]);
  const { trace, "dead-letter-flow": flow, "dead-letter-topic": topic } = facts(letter!);
  assertEquals([trace, flow, topic], ["t", "last", "in"]);
});

Deno.test("a dead letter keeps the headers of the user's that begin like ours, there and back", async () => {
  await using broker = new MemoryBroker();
  const options = { broker, groupId: "g", offset: "earliest" } as const;
  await using input = new Topic("in", options);
  await using dead = new Topic("dead", options);
  await input.send({
    value: "v",
    headers: { "dead-letter-office": "x", "dead-letter-error": "old" },
  });
  const app = new App();
  let failures = 1;
  const seen: Message[] = [];
  app.handle(input, (message) => {
    if (failures-- > 0) throw new Error("once");
    seen.push(message);
    queueMicrotask(() => app.close());
  }, { onError: deadLetter(dead) });
  app.handle(dead, (letter) => {
    const { "dead-letter-office": office, "dead-letter-error": error } = facts(letter);
    assertEquals([office, error], ["x", "Error: once"]);
    return letter;
  }, { sink: redrive(input) });
  await app.stream();
  assertEquals(facts(seen[0]!), { "dead-letter-office": "x" });
});

Deno.test("a dead letter of a deletion, or of the value null, stays one, also when it is sent back", async () => {
  await using broker = new MemoryBroker();
  const codec = new JsonCodec<string | null | Tombstone>();
  const options = { broker, groupId: "g", offset: "earliest", codec } as const;
  await using input = new Topic("in", options);
  await using dead = new Topic("dead", options);
  await input.send({ key: "null", value: null, headers: { none: null } });
  await input.send({ key: "gone", value: tombstone, headers: { none: null } });
  const app = new App();
  let fixed = false, left = 2;
  const read: unknown[] = [];
  app.handle(input, ({ key, value, headers }) => {
    read.push([key, value, [...headers]]);
    if (read.length === 4) queueMicrotask(() => app.close());
    if (!fixed) throw new TypeError("not now");
  }, { onError: deadLetter(dead) });
  app.handle(dead, (letter) => {
    fixed = --left === 0;
    return letter;
  }, { sink: redrive(input) });
  await app.stream();
  const none = [["none", null]];
  const once = [["null", null, none], ["gone", tombstone, none]];
  assertEquals(read, [...once, ...once]);
});

Deno.test("a dead letter of a value that is null and of no topic has the value null", async () => {
  await using broker = new MemoryBroker();
  const codec = new JsonCodec<null>();
  await using dead = new Topic("dead", { broker, groupId: "g", offset: "earliest", codec });
  await dead.ensure();
  const app = new App();
  app.handle([null], () => {
    throw new TypeError("not now");
  }, { onError: deadLetter(dead) });
  await app.stream();
  for await (const { value, record } of dead) {
    assertEquals([value, text(record.value)], [null, "null"]);
    break;
  }
});

Deno.test("redrive() of a value that is not a topic is an error, also as a sink that was not called", async () => {
  assertThrows(() => redrive("orders" as never), TypeError, 'to the string "orders"');
  const app = new App();
  app.handle([{ offset: 7 }], (letter) => letter, { sink: redrive as never });
  await assertRejects(() => app.stream(), SinkError, "write sink: redrive(topic)");
});
