/** A message that is not done in time: the member leaves for it, though others flow past it. */
import { assertEquals } from "@std/assert";
import { App, batch, Proxy } from "../../mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { type BrokerStatus, type Message, Topic } from "../../src/kafka/mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";

async function settled(): Promise<void> {
  for (let n = 0; n < 30; n++) await settle();
}

/** A topic whose messages may take a second. */
async function setUp(partitions: number) {
  const clock = new ManualClock();
  const broker = new MemoryBroker({ clock, partitions });
  const statuses: BrokerStatus[] = [];
  const onStatus = (status: BrokerStatus) => void statuses.push(status);
  const options = { broker, groupId: "g", offset: "earliest", onStatus } as const;
  const topic = new Topic("in", { ...options, processingTimeout: 1_000 });
  await topic.ensure({ partitions });
  const app = new App({ clock });
  const send = async (value: string, partition = 0) => {
    await topic.send({ value, partition });
    await settled();
  };
  return {
    clock,
    topic,
    app,
    send,
    /** Sends a message to a partition every 100 ms, for a time. */
    async flow(ms: number, partition = 0) {
      for (let passed = 0; passed < ms; passed += 100) {
        await send("flows", partition);
        await clock.tick(100);
      }
      await settled();
    },
    stuck: () =>
      statuses.filter((status) => status.type === "stuck")
        .map(({ partition, offset }) => [partition, offset]),
    assignments: () => statuses.filter(({ type }) => type === "assigned").length,
    async end(streaming: Promise<void>) {
      await settled();
      await app.close();
      await streaming;
      const offsets = await topic.offsets();
      await topic.close();
      await broker.close();
      return [...offsets.values()].map(({ committed }) => committed);
    },
  };
}

for (const partition of [0, 1]) {
  Deno.test(`A Topic leaves its group for a message behind a Proxy, though others flow in partition ${partition}, until it is done`, async () => {
    const { clock, topic, app, send, flow, stuck, assignments, end } = await setUp(2);
    const go = Promise.withResolvers<void>();
    const slow = new Proxy<Message>();
    const seen: string[] = [];
    app.handle(topic, async (message) => {
      seen.push(message.value);
      if (message.value === "slow") await slow.send(message);
    });
    app.handle(slow, () => go.promise, { handlerTimeout: Infinity });
    const streaming = app.stream();
    await settled();
    await send("slow", 0);
    await flow(900, partition);
    assertEquals(stuck(), []);
    await flow(600, partition);
    assertEquals([stuck(), assignments()], [[[0, 0]], 1]);
    await clock.tick(10_000); // it stays away
    assertEquals([stuck(), assignments()], [[[0, 0]], 1]);
    go.resolve();
    await settled();
    assertEquals([stuck(), assignments()], [[[0, 0]], 2]);
    assertEquals(await end(streaming), partition === 0 ? [16, 0] : [1, 15]);
    assertEquals(seen.length, 16); // nothing that was done meanwhile comes again
  });
}

Deno.test("A Topic leaves its group for a send that nobody awaits and that never settles", async () => {
  const { topic, app, send, flow, stuck, end } = await setUp(1);
  const go = Promise.withResolvers<void>();
  const slow = new Proxy<string>();
  app.handle(topic, ({ value }) => {
    if (value === "slow") slow.send(value).catch(() => {});
  });
  app.handle(slow, () => go.promise, { handlerTimeout: Infinity });
  const streaming = app.stream();
  await settled();
  await send("slow");
  await flow(1_500);
  assertEquals(stuck(), [[0, 0]]);
  go.resolve();
  await end(streaming);
});

Deno.test("A Topic stays in its group while messages wait behind others that are slow", async () => {
  const { clock, topic, app, send, stuck, end } = await setUp(2);
  const queue = new Proxy<string>();
  let done = 0;
  app.handle(topic, ({ value }) => void queue.send(value).catch(() => {}));
  app.handle(queue, async () => {
    await new Promise<void>((resolve) => void clock.timer(resolve, 900));
    done++;
  });
  const streaming = app.stream();
  await settled();
  for (let n = 0; n < 8; n++) await send("ahead", 1);
  await send("behind", 0);
  while (done < 9) {
    await clock.tick(100);
    await settled();
  }
  assertEquals(stuck(), []);
  assertEquals(await end(streaming), [1, 8]);
});

for (const ms of [5_000, Infinity]) {
  Deno.test(`A Topic stays in its group for a batch that fills for ${ms} ms, and not for what is stuck beside it`, async () => {
    const { topic, app, send, flow, stuck, end } = await setUp(2);
    const go = Promise.withResolvers<void>();
    const slow = new Proxy<string>();
    const sizes: number[] = [];
    app.handle(topic, batch(30, ms), (some) => void sizes.push(some.length));
    app.handle(topic, ({ value }) => {
      if (value === "slow") slow.send(value).catch(() => {});
    });
    app.handle(slow, () => go.promise, { handlerTimeout: Infinity });
    const streaming = app.stream();
    await settled();
    await flow(2_900);
    assertEquals([stuck(), sizes], [[], []]);
    await send("slow", 1);
    assertEquals([stuck(), sizes], [[], [30]]);
    await flow(1_500);
    assertEquals([stuck(), sizes], [[[1, 0]], [30]]);
    go.resolve();
    await end(streaming);
  });
}
