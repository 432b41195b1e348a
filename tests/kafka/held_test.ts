import { assertEquals } from "@std/assert";
import { App, batch, type Pipe, Proxy, untilEnd } from "../../mod.ts";
import { type BrokerStatus, type Message, Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";

async function settled(): Promise<void> {
  for (let n = 0; n < 30; n++) await settle();
}

/** Pipes that pass on three messages together, however long they take to come. */
const pipes: Record<string, () => Pipe<Message, Message[]>> = {
  "batch()": () => batch<Message>(3),
  "untilEnd()": () =>
    untilEnd(async function* (source: AsyncIterable<Message>) {
      let some: Message[] = [];
      for await (const message of source) {
        if (some.push(message) < 3) continue;
        yield some;
        some = [];
      }
    }),
};

for (const [kind, pipe] of Object.entries(pipes)) {
  for (const proxied of [false, true]) {
    const where = proxied ? " behind a Proxy" : "";
    Deno.test(`a Topic does not leave its group for messages that ${kind}${where} holds`, async () => {
      const clock = new ManualClock();
      await using broker = new MemoryBroker({ clock });
      const statuses: BrokerStatus[] = [];
      await using topic = new Topic("in", {
        broker,
        groupId: "g",
        offset: "earliest",
        processingTimeout: 1_000,
        onStatus: (status) => statuses.push(status),
      });
      await topic.send({ value: "0" });
      const stuck = () => statuses.filter(({ type }) => type === "stuck").length;
      const seen: string[] = [];
      const go = Promise.withResolvers<void>();
      const app = new App({ clock });
      const proxy = new Proxy<Message>();
      if (proxied) app.handle(topic, (message) => message, { sink: proxy });
      app.handle(
        proxied ? proxy : topic,
        pipe(),
        async (some: Message[]) => {
          seen.push(...some.map(({ value }) => value));
          await go.promise;
        },
        { handlerTimeout: Infinity },
      );
      const streaming = app.stream();
      await settled();
      await clock.tick(5_000); // nothing comes
      assertEquals([stuck(), seen], [0, []]);
      await topic.send({ value: "1" });
      await topic.send({ value: "2" });
      await settled();
      await clock.tick(500);
      await settled();
      assertEquals([stuck(), seen], [0, ["0", "1", "2"]]);
      go.resolve();
      await settled();
      await app.close();
      await streaming;
      assertEquals((await topic.offsets()).get(0)?.committed, 3);
    });
  }
}

Deno.test("a Topic leaves its group for a handler that is stuck, though a pipe beside it holds messages", async () => {
  const clock = new ManualClock();
  await using broker = new MemoryBroker({ clock });
  const statuses: BrokerStatus[] = [];
  await using topic = new Topic("in", {
    broker,
    groupId: "g",
    offset: "earliest",
    processingTimeout: 1_000,
    onStatus: (status) => statuses.push(status),
  });
  await topic.send({ value: "0" });
  const go = Promise.withResolvers<void>();
  const app = new App({ clock });
  app.handle(topic, batch<Message>(3), () => {});
  app.handle(topic, () => go.promise, { onError: "skip" });
  const streaming = app.stream();
  await settled();
  await clock.tick(1_500);
  assertEquals(statuses.filter(({ type }) => type === "stuck").length, 1);
  go.resolve();
  await settled();
  await app.close();
  await streaming;
});
