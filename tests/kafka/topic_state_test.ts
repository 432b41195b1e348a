import { assertEquals, assertRejects } from "@std/assert";
import { App, Cache, MemoryCache, SourceError } from "../../mod.ts";
import { type Message, Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import { settle } from "../../src/testing/mod.ts";
import { until } from "../_support/processes.ts";
import { temporaryFolder } from "../_support/temporary.ts";

async function filled(broker: MemoryBroker, partitions: number, messages: number): Promise<void> {
  await broker.ensure("in", { partitions });
  await using topic = new Topic("in", { broker });
  const high = [...(await topic.offsets()).values()].reduce((sum, { high }) => sum + high, 0);
  for (let n = high; n < messages; n++) {
    await topic.send({ value: `${n}`, partition: n % partitions });
  }
}

/** Counts the messages of a topic in `state` until there are `until` of them. */
async function count(
  broker: MemoryBroker,
  state: Cache<number>,
  until: number,
  topic = new Topic("in", { broker, groupId: "g", offset: "earliest" }),
): Promise<Message[]> {
  await using source = topic;
  const stop = new AbortController();
  const seen: Message[] = [];
  const app = new App();
  app.handle(source, async (message) => {
    seen.push(message);
    const total = await state.update("total", (total = 0) => total + 1);
    if (total === until) stop.abort();
  }, { name: "count", state });
  await app.stream({ signal: stop.signal });
  return seen;
}

const open = (path: string) => Cache.open<number>(`${path}/state`, { maxBytes: Infinity });

Deno.test("a Topic begins at the positions of the store, whatever its group has committed", async () => {
  await using folder = await temporaryFolder();
  await using broker = new MemoryBroker();
  await filled(broker, 3, 9);
  {
    await using state = await open(folder.path);
    assertEquals((await count(broker, state, 9)).length, 9);
  }
  await filled(broker, 3, 12);
  // Someone else has committed under the name of the group.
  await using thief = new Topic("in", { broker, groupId: "g" });
  for await (const { value } of thief) if (Number(value) >= 11) break;
  await using state = await open(folder.path);
  assertEquals((await count(broker, state, 12)).map(({ value }) => value).sort(), [
    "10",
    "11",
    "9",
  ]);
});

Deno.test("a state that goes on after the end of its topic is an error", async () => {
  await using folder = await temporaryFolder();
  await using state = await open(folder.path);
  {
    await using broker = new MemoryBroker();
    await filled(broker, 1, 5);
    await count(broker, state, 5);
  }
  await using other = new MemoryBroker();
  await filled(other, 1, 2);
  const error = await assertRejects(() => count(other, state, 99), SourceError, "at offset 5");
  assertEquals(error.message.includes("its offsets are from 0 to 2; seek()"), true);
});

Deno.test("a state that ends before the beginning of its topic is an error; a seek goes on", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  await using broker = new MemoryBroker({ maxRecords: 4 });
  await filled(broker, 1, 2);
  await count(broker, state, 2);
  await filled(broker, 1, 10);
  await assertRejects(() => count(broker, state, 99), SourceError, "its offsets are from 6 to 10");
  const topic = new Topic("in", { broker, groupId: "g" });
  await topic.seek("earliest");
  assertEquals((await count(broker, state, 6, topic)).map(({ offset }) => offset), [6, 7, 8, 9]);
});

Deno.test("an offset for the start of a new flow has no effect once its state has a position", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  await using broker = new MemoryBroker({ maxRecords: 4 });
  await filled(broker, 1, 2);
  const open = () => new Topic("in", { broker, groupId: "g", offset: { 0: 0 } });
  await count(broker, state, 2, open());
  await filled(broker, 1, 4);
  assertEquals((await count(broker, state, 4, open())).map(({ offset }) => offset), [2, 3]);
  await filled(broker, 1, 7); // and 0 is deleted
  assertEquals((await count(broker, state, 7, open())).map(({ offset }) => offset), [4, 5, 6]);
});

Deno.test("a topic that another member of the group reads cannot be read with exact state", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  await using broker = new MemoryBroker();
  await filled(broker, 2, 4);
  await using other = new Topic("in", { broker, groupId: "g", offset: "earliest" });
  const iterator = other[Symbol.asyncIterator]();
  await iterator.next();
  const options = { broker, groupId: "g", offset: "earliest", sessionTimeout: 500 } as const;
  await assertRejects(
    () => count(broker, state, 99, new Topic("in", { ...options, heartbeatInterval: 100 })),
    SourceError,
    "for longer than a session; let nobody else read it in that group",
  );
  await iterator.return();
});

Deno.test("a reader that joins the group beside exact state gets nothing until that has gone", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  await using broker = new MemoryBroker();
  await filled(broker, 2, 4);
  const topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
  const counted = count(broker, state, 8, topic);
  await settle();
  await using other = new Topic("in", { broker, groupId: "g", offset: "earliest" });
  const iterator = other[Symbol.asyncIterator]();
  const next = iterator.next();
  await settle();
  await filled(broker, 2, 8);
  assertEquals((await counted).map(({ value }) => Number(value)).sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
  await filled(broker, 2, 9);
  assertEquals((await next).value?.value, "8");
  await iterator.return();
});

Deno.test("offsets without visible records do not part a state from what its group has committed", async () => {
  await using folder = await temporaryFolder();
  await using broker = new MemoryBroker();
  await filled(broker, 2, 4);
  await using topic = new Topic("in", { broker, groupId: "g" });
  const lags = async () => [...(await topic.lag()).values()];
  for (const messages of [4, 6]) {
    await filled(broker, 2, messages === 4 ? 4 : 9); // what was skipped counts for it
    await using state = await open(folder.path);
    await using source = new Topic("in", { broker, groupId: "g", offset: "earliest" });
    const stop = new AbortController();
    const app = new App({ commit: { interval: 10 } });
    app.handle(source, async () => {
      await state.update("total", (total = 0) => total + 1);
    }, { name: "count", state });
    const streaming = app.stream({ signal: stop.signal });
    await until(async () => await state.get("total") === messages);
    if (messages === 4) broker.skip("in", 3, 1);
    await until(async () => (await lags()).every((lag) => lag === 0));
    stop.abort();
    await streaming;
    assertEquals(await state.get("total"), messages);
  }
});

Deno.test("a seek from within a handler moves the state's position too", async () => {
  await using folder = await temporaryFolder();
  await using broker = new MemoryBroker();
  await filled(broker, 1, 5);
  {
    await using state = await open(folder.path);
    await using topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
    const stop = new AbortController();
    let sought = false;
    const app = new App();
    app.handle(topic, async ({ offset }) => {
      await state.update(offset, (times = 0) => times + 1);
      if (offset !== 3) return;
      if (sought) return stop.abort();
      sought = true;
      await topic.seek({ 0: 2 });
    }, { name: "count", state });
    await app.stream({ signal: stop.signal });
    assertEquals(await Array.fromAsync(state.values()), [1, 1, 2, 2]);
  }
  await using state = await open(folder.path);
  assertEquals((await count(broker, state, 1)).map(({ offset }) => offset), [4]);
});

for (const flows of [1, 2]) {
  Deno.test(`what is to be handled again reaches ${flows} flows that have it in their state, and the state goes on`, async () => {
    await using broker = new MemoryBroker();
    await filled(broker, 1, 5);
    await using state = new MemoryCache<number>({ maxBytes: Infinity });
    const run = async (replayFrom?: number) => {
      await using topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
      if (replayFrom !== undefined) gateOf(topic).limitStart(() => replayFrom);
      const seen: string[] = [];
      const stop = new AbortController();
      const app = new App();
      for (let flow = 0; flow < flows; flow++) {
        app.handle(topic, ({ offset }) => void seen.push(`${flow}:${offset}`), {
          name: `flow ${flow}`,
          state,
        });
      }
      app.handle(topic, ({ offset }) => void (offset === 4 && stop.abort()));
      const nothing = setTimeout(() => stop.abort(), 300);
      await app.stream({ signal: stop.signal });
      clearTimeout(nothing);
      return seen;
    };
    await run();
    const again = [2, 3, 4].flatMap((offset) => flows === 1 ? [offset] : [offset, offset]);
    const expected = again.map((offset, index) => `${index % flows}:${offset}`);
    assertEquals(await run(2), expected);
    assertEquals(await run(), []);
  });
}

Deno.test("a message that the engine holds during a rebalance is handled once", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  await using broker = new MemoryBroker();
  await filled(broker, 1, 5);
  const topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
  const gate = gateOf(topic);
  let paused = false;
  const held = Promise.withResolvers<void>();
  gate.guard((message) => {
    if ((message as Message).offset !== 2 || paused) return true;
    paused = true;
    gate.pause("an outage that this message has found");
    held.resolve();
    return true;
  });
  const counted = count(broker, state, 5, topic);
  await held.promise;
  await using other = new Topic("other", { broker, groupId: "g", offset: "earliest" });
  await other.send({ value: "🐟" });
  const iterator = other[Symbol.asyncIterator]();
  await iterator.next(); // it has joined the group
  await iterator.return();
  await settle();
  gate.resume("an outage that this message has found");
  assertEquals((await counted).map(({ offset }) => offset), [0, 1, 2, 3, 4]);
});

Deno.test("much state is written before the commit's interval, and messages wait for the disk", async () => {
  await using folder = await temporaryFolder();
  await using broker = new MemoryBroker();
  await filled(broker, 1, 12);
  await using topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
  await using state = await Cache.open<string>(`${folder.path}/state`, { maxBytes: Infinity });
  const stop = new AbortController();
  let commits = 0;
  const app = new App({
    commit: { interval: 1e6 },
    onStatus: ({ type }) => void (type === "commit" && commits++),
  });
  app.handle(topic, async ({ offset }) => {
    await state.set(offset, "x".repeat(1_000_000));
    if (offset === 11) stop.abort();
  }, { name: "big", state });
  await app.stream({ signal: stop.signal });
  assertEquals(commits >= 3, true);
});

Deno.test("a message that writes more than maxTransactionBytes fails", async () => {
  await using broker = new MemoryBroker();
  await filled(broker, 1, 1);
  await using topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
  await using state = new MemoryCache<string>({ maxBytes: Infinity, maxTransactionBytes: 10_000 });
  const app = new App();
  app.handle(topic, async () => {
    for (let n = 0; n < 20; n++) await state.set(n, "x".repeat(1_000));
  }, { name: "big", state });
  await assertRejects(() => app.stream(), Error, "maxTransactionBytes is 10000");
});
