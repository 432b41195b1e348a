import { assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { App, deadLetter, DrainError, map, Proxy, type Stuck } from "../../mod.ts";
import { Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";

const never = () => new Promise<never>(() => {});

/** Streams `app` for `ms`, then stops it, and returns the error 1000 ms later. */
async function ended(app: App, clock: ManualClock, ms = 5_000): Promise<DrainError> {
  const stop = new AbortController();
  const streaming = app.stream({ signal: stop.signal, drainTimeout: 1_000 }).catch((error) =>
    error
  );
  for (let turn = 0; turn < 20; turn++) await settle();
  await clock.tick(ms);
  stop.abort();
  await clock.tick(1_000);
  const error = await streaming;
  assertInstanceOf(error, DrainError);
  return error;
}

function world() {
  const clock = new ManualClock();
  return { clock, app: new App({ clock }) };
}

async function topicOf(clock: ManualClock, ...values: string[]) {
  const broker = new MemoryBroker({ clock });
  const topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
  for (const value of values) await topic.send({ key: `key ${value}`, value });
  return topic;
}

Deno.test("DrainError names the flow and the message of a handler that is stuck, and since when", async () => {
  const { clock, app } = world();
  const topic = await topicOf(clock, "a", "b");
  app.handle(topic, ({ value }) => value === "b" ? never() : undefined, { name: "sum" });
  const { message, stuck } = await ended(app, clock);
  assertEquals(stuck, [{
    what: "handles a message",
    flow: "sum",
    source: "in",
    topic: "in",
    partition: 0,
    offset: 1,
    key: "key b",
    sinceMs: 6_000,
  }]);
  assertStringIncludes(
    message,
    "drainTimeout (1000 ms); " +
      'handles a message in flow "sum" of topic "in" partition 0 offset 1 for 6000 ms',
  );
  await topic.close();
});

const sinks: Record<string, [() => unknown, Partial<Stuck>]> = {
  "a sink function": [() => never, { what: "writes to", sink: "sink 1 (never)" }],
  "the second of two sinks": [
    () => [() => settle(), { write: never }],
    { what: "writes to", sink: "sink 2" },
  ],
  "a full Proxy that nobody reads on": [
    () => new Proxy({ bound: 1 }),
    { what: "writes to", sink: "sink 1 (Proxy)" },
  ],
};
for (const [name, [sink, says]] of Object.entries(sinks)) {
  Deno.test(`DrainError names the sink that is stuck: ${name}`, async () => {
    const { clock, app } = world();
    const target = sink();
    app.handle([1, 2, 3, 4], (n) => n, { name: "copy", sink: target as () => void });
    if (target instanceof Proxy) app.handle(target, never, { name: "behind" });
    const { stuck } = await ended(app, clock);
    const { what, sink: named } = stuck[0]!;
    assertEquals({ what, sink: named }, says);
    assertEquals(
      stuck.map(({ flow }) => flow),
      target instanceof Proxy ? ["copy", "behind"] : ["copy"],
    );
  });
}

Deno.test("DrainError names the handler again once a sink is done", async () => {
  const { clock, app } = world();
  app.handle([1], async function* () {
    yield 1;
    await never();
  }, { name: "copy", sink: () => settle() });
  const { stuck } = await ended(app, clock);
  assertEquals(stuck.map(({ what, sink }) => [what, sink]), [["handles a message", undefined]]);
});

Deno.test("DrainError names no sink once its message is done", async () => {
  const { clock, app } = world();
  app.handle([1, 2], map((n: number) => n === 2 ? never() : n), (n: number) => n, {
    sink: () => settle(),
  });
  const [{ what, sink }] = (await ended(app, clock)).stuck as [Stuck];
  assertEquals([what, sink], ["handles a message", undefined]);
});

Deno.test("DrainError names the dead-letter sink", async () => {
  const { clock, app } = world();
  const fail = () => {
    throw new Error("invalid");
  };
  app.handle([1], fail, { onError: deadLetter(never) });
  const [{ what, sink }] = (await ended(app, clock)).stuck as [Stuck];
  assertEquals([what, sink], ["writes to", "the dead-letter sink"]);
});

Deno.test("DrainError names a flush() that is stuck, and the hook or the close() that is", async () => {
  const parts: [string, (app: App, clock: ManualClock) => void][] = [
    ["waits for the flush() of sink 1 (Sink)", (app) => {
      class Sink {
        write() {}
        flush = never;
      }
      app.handle([1], (n) => n, { sink: new Sink(), name: "copy" });
    }],
    ["a hook of onExit() has not ended", (app) => app.onExit(never)],
    ["a sink is being closed", (app) => {
      app.handle([1], (n) => n, { sink: { write() {}, close: never } });
    }],
    ["a source is being closed", (app, clock) => {
      app.handle({
        [Symbol.asyncIterator]: () => ({
          next: () => settle().then(() => ({ done: false as const, value: 1 })),
          return: never,
        }),
      }, () => new Promise<void>((resolve) => clock.timer(resolve, 500)));
    }],
    ["stages have not ended", (app) => {
      app.handle([1], async function* (source: AsyncIterable<number>) {
        yield* source;
        await never();
      }, () => {});
    }],
  ];
  for (const [says, bind] of parts) {
    const { clock, app } = world();
    bind(app, clock);
    const { message } = await ended(app, clock, 10);
    assertStringIncludes(message, says);
  }
});

Deno.test("DrainError names a send that nobody awaits", async () => {
  const { clock, app } = world();
  const topic = await topicOf(clock, "a");
  await using broker = new MemoryBroker({ clock });
  const out = new Topic<string, string>("out", {
    broker,
    codec: { decode: () => "", encode: never },
  });
  app.handle(topic, ({ value }) => void out.send({ value }), { name: "forward" });
  const { stuck: [call] } = await ended(app, clock);
  const { what, flow, offset, sinceMs } = call!;
  assertEquals({ what, flow, offset, sinceMs }, {
    what: 'waits for send() to topic "out"',
    flow: "forward",
    offset: 0,
    sinceMs: 6_000,
  });
  await topic.close();
});

Deno.test("DrainError names the message behind a Proxy by its origin", async () => {
  const { clock, app } = world();
  const topic = await topicOf(clock, "a");
  const proxy = new Proxy<string>();
  app.handle(topic, ({ value }) => value, { sink: proxy });
  app.handle(proxy, never, { name: "behind" });
  const { stuck } = await ended(app, clock);
  assertEquals(stuck.map(({ flow, topic, offset }) => [flow, topic, offset]), [[
    "behind",
    "in",
    0,
  ]]);
  await topic.close();
});

Deno.test("DrainError counts what is too much to name", async () => {
  const { clock, app } = world();
  for (let n = 0; n < 8; n++) app.handle([n], never);
  const { message, stuck } = await ended(app, clock);
  assertEquals(stuck.length, 8);
  assertEquals(message.split("; ").length, 7);
  assertStringIncludes(message, "; 3 more");
});
