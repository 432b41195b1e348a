import { assertEquals, assertRejects } from "@std/assert";
import {
  App,
  batch,
  Checkpoint,
  Dependency,
  HandlerError,
  MemoryCache,
  Proxy,
  sequential,
} from "../../mod.ts";
import { type Message, Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { numbers, openState } from "../_support/numbers.ts";
import { temporaryFolder } from "../_support/temporary.ts";

type State = MemoryCache<number>;
const OUTSIDE = "give the flow this cache as its state";

/** A topic with five messages, in a group of its own. */
async function topicOf(broker: MemoryBroker): Promise<Topic> {
  const topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
  for (let n = 0; n < 5; n++) await topic.send({ value: `${n}` });
  return topic;
}

/** A flow that keeps `state`, and has a message in flight until the app stops, or `over`. */
function keep(app: App, state: State, over?: Promise<void>): void {
  app.handle(numbers(1, "kept").source, async (_, { stopping }) => {
    const stopped = new Promise<void>((resolve) =>
      stopping.addEventListener("abort", () => resolve())
    );
    await (over ?? stopped);
  }, { name: "keeper", state });
}

/** Streams; what is not refused would go on for ever. */
async function streamed(app: App): Promise<void> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), 5_000);
  await app.stream({ signal: stop.signal }).finally(() => clearTimeout(timer));
}

/** Binds a flow that writes to `state` in some way. */
type Bind = (app: App, topic: Topic, state: State) => void;

const WAYS: Record<string, Bind> = {
  "in its handler": (app, topic, state) =>
    app.handle(topic, async ({ value }) => void await state.set(value, 1), { name: "f" }),
  "by its sink": (app, topic, state) =>
    app.handle(topic, ({ value }) => [value, 1] as const, { name: "f", sink: state }),
  "in a space": (app, topic, state) => {
    const space = state.space<number>("other", { maxBytes: Infinity });
    app.handle(topic, ({ value }) => [value, 1] as const, { name: "f", sink: space });
  },
  "in a transaction": (app, topic, state) =>
    app.handle(topic, ({ value }) => state.update(value, () => 1).then(() => {}), { name: "f" }),
  "behind a Proxy": (app, topic, state) => {
    const proxy = new Proxy<string>();
    app.handle(topic, ({ value }) => value, { sink: proxy });
    app.handle(proxy, async (value) => void await state.set(value, 1), { name: "f" });
  },
  "behind batch()": (app, topic, state) =>
    app.handle(topic, batch(2), async ([first]) => void await state.set(first!.value, 1), {
      name: "f",
    }),
  "in a pipe function": (app, topic, state) =>
    app.handle(
      topic,
      sequential(async function* (source: AsyncIterable<Message>) {
        for await (const { value } of source) {
          await state.set(value, 1);
          yield value;
        }
      }),
      () => {},
      {
        name: "f",
      },
    ),
  "with a state of its own": (app, topic, state) => {
    const own: State = new MemoryCache({ maxBytes: Infinity });
    app.handle(topic, async ({ value }) => void await state.set(value, 1), {
      name: "f",
      state: own,
    });
  },
};

for (const [way, bind] of Object.entries(WAYS)) {
  Deno.test(`a flow outside of a state cannot write to it ${way}, and commits nothing`, async () => {
    await using broker = new MemoryBroker();
    await using state: State = new MemoryCache({ maxBytes: Infinity });
    await using topic = await topicOf(broker);
    const app = new App({ commit: { interval: 1 } });
    keep(app, state);
    bind(app, topic, state);
    const error = await assertRejects(() => streamed(app));
    assertEquals(messages(error).some((text) => text.includes(OUTSIDE)), true, `${error}`);
    assertEquals(messages(error).some((text) => text.includes('in flow "f"')), true);
    assertEquals((await broker.committed("g", "in")).get(0) ?? 0, 0);
  });
}

/** The messages of an error and of its causes. */
function messages(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  return [error.message, ...messages(error.cause)];
}

Deno.test("a flow of another app cannot write to a state either", async () => {
  await using broker = new MemoryBroker();
  await using state: State = new MemoryCache({ maxBytes: Infinity });
  await using topic = await topicOf(broker);
  const first = new App(), second = new App({ commit: { interval: 1 } });
  const over = Promise.withResolvers<void>();
  keep(first, state, over.promise);
  const streaming = first.stream();
  second.handle(topic, async ({ value }) => void await state.set(value, 1), { name: "f" });
  await assertRejects(() => streamed(second), HandlerError, OUTSIDE);
  over.resolve();
  await streaming;
  assertEquals((await broker.committed("g", "in")).get(0) ?? 0, 0);
});

Deno.test("in a fan-out a flow without state, and what it feeds, cannot write to the state", async () => {
  for (const shape of ["handler", "proxy", "shared proxy"]) {
    await using state: State = new MemoryCache({ maxBytes: Infinity });
    const app = new App();
    const { source } = numbers(2);
    const proxy = new Proxy<number>();
    const write = async (n: number) => void await state.set(n, n);
    const sink = shape === "shared proxy" ? proxy : () => {};
    app.handle(source, ({ n }) => n, { name: "with", state, sink });
    if (shape === "handler") app.handle(source, ({ n }) => write(n), { name: "f" });
    else {
      app.handle(source, ({ n }) => n, { name: "without", sink: proxy });
      app.handle(proxy, write, { name: "f" });
    }
    await assertRejects(() => app.stream(), HandlerError, OUTSIDE);
  }
});

Deno.test("two flows of one source, each with a state of its own, cannot write to the other's", async () => {
  await using one: State = new MemoryCache({ maxBytes: Infinity });
  await using two: State = new MemoryCache({ maxBytes: Infinity });
  const app = new App();
  const { source } = numbers(2);
  app.handle(source, async ({ n }) => void await two.set(n, n), { name: "one", state: one });
  app.handle(source, async ({ n }) => void await two.set(n, n), { name: "two", state: two });
  await assertRejects(() => app.stream(), HandlerError, 'in flow "one"');
});

Deno.test("code outside of flows, and flows whose source commits nothing, may write to a state", async () => {
  await using folder = await temporaryFolder();
  {
    await using state = await openState(folder.path);
    const app = new App();
    const commands = new Proxy<string>();
    const handled = Promise.withResolvers<void>();
    keep(app, state, handled.promise);
    app.handle(["list"], async (key) => void await state.set(key, 1));
    app.handle(commands, async (key) => {
      await state.set(key, 2);
      handled.resolve();
    });
    await state.set("before", 0);
    const streaming = app.stream();
    await commands.send("sent");
    commands.close();
    await state.set("outside", 3);
    await streaming;
  }
  await using state = await openState(folder.path);
  assertEquals(await Array.fromAsync(state.entries()), [
    ["before", 0],
    ["list", 1],
    ["outside", 3],
    ["sent", 2],
  ]);
});

Deno.test("a flow outside of a state may read it, and write to a cache in another store", async () => {
  await using broker = new MemoryBroker();
  await using state: State = new MemoryCache({ maxBytes: Infinity });
  await using other: State = new MemoryCache();
  await using topic = await topicOf(broker);
  const app = new App();
  await state.set("kept", 1);
  keep(app, state, Promise.resolve());
  const stop = new AbortController();
  app.handle(topic, async ({ value }) => {
    await other.set(value, await state.get("kept", 0));
    if (value === "4") stop.abort();
  });
  await app.stream({ signal: stop.signal });
  assertEquals(other.size, 5);
  assertEquals((await broker.committed("g", "in")).get(0), 5);
});

Deno.test("what a checkpoint calls when a dependency has recovered may write to a state", async () => {
  await using broker = new MemoryBroker();
  await using state: State = new MemoryCache({ maxBytes: Infinity });
  await using topic = new Topic("beats", { broker, groupId: "g", offset: "earliest" });
  const { source } = numbers(1);
  const stop = new AbortController();
  const checkpoint = new Checkpoint("c", {
    dependent: source,
    dependencies: [new Dependency("beats", topic, { downtimeThreshold: 50 })],
    recoveryCallback: async () => {
      await state.set("recovered", 1);
      stop.abort();
    },
  });
  await topic.send({ value: "1" });
  const app = new App();
  app.handle(topic, async ({ value }) => {
    await checkpoint.heartbeat(Number(value));
    if (value === "1") begun.resolve();
  });
  const begun = Promise.withResolvers<void>();
  app.handle(source, async () => {
    await begun.promise;
    await checkpoint.checkPulse(100);
    await topic.send({ value: "200" });
  }, { name: "answers", state });
  await app.stream({ signal: stop.signal });
  assertEquals(await state.get("recovered"), 1);
});
