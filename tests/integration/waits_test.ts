/**
 * What is waited for once for each message, or at each poll, leaves nothing behind. Each step makes all waits
 * of its kind; a closure that stays costs more than what is allowed here, which is the noise of the compiler.
 */
import { assert } from "@std/assert";
import {
  App,
  type AppOptions,
  Checkpoint,
  Dependency,
  MemoryCache,
  merge,
  Proxy,
} from "../../mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { Topic } from "../../src/kafka/mod.ts";
import { liveHeap } from "../_support/live_heap.ts";

/** How many bytes a step may leave behind. */
const NOISE = 50;
const STEPS = 6_000, WARMED_UP = 4_000;

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Fails when steps leave something behind. */
async function leavesNothing(step: (n: number) => Promise<unknown>): Promise<void> {
  for (let n = 0; n < WARMED_UP; n++) await step(n);
  await turn();
  const before = liveHeap();
  for (let n = 0; n < STEPS; n++) await step(WARMED_UP + n);
  await turn();
  const left = (liveHeap() - before) / STEPS;
  assert(left < NOISE, `${left.toFixed(1)} bytes a step stay`);
}

/** A broker that keeps few records, and topics in it. */
class World implements AsyncDisposable {
  /** How many messages were handled. */
  handled = 0;
  readonly #stack = new AsyncDisposableStack();
  readonly #broker = this.#stack.use(new MemoryBroker({ maxRecords: 100 }));

  topic(name: string): Topic {
    const options = { broker: this.#broker, groupId: name, offset: "earliest" } as const;
    return this.#stack.use(new Topic(name, options));
  }

  /** Streams what `bind` binds, until the end of the test. */
  stream(bind: (app: App) => void, options?: AppOptions): App {
    const app = new App(options);
    bind(app);
    const streaming = app.stream();
    this.#stack.defer(async () => {
      void app.close();
      await streaming;
    });
    return app;
  }

  readonly count = (): void => void this.handled++;
  readonly countLater = async (): Promise<void> => {
    await turn();
    this.handled++;
  };

  /** Sends a message, and waits until it was handled. */
  async pass(topic: Topic, value = "x"): Promise<void> {
    const { handled } = this;
    await topic.send({ value });
    while (this.handled === handled) await turn();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

Deno.test("a loop over a Topic leaves nothing behind at a wait", async () => {
  await using world = new World();
  const topic = world.topic("t");
  const reading = (async () => {
    for await (const _ of topic) world.count();
  })();
  await leavesNothing(() => world.pass(topic));
  await topic.close();
  await reading;
});

Deno.test("a loop over a Topic leaves nothing behind when it is left", async () => {
  await using world = new World();
  const topic = world.topic("t");
  await leavesNothing(async () => {
    for (const value of ["a", "b"]) await topic.send({ value });
    for await (const _ of topic) break;
  });
});

Deno.test("the calls of a Topic leave nothing behind", async () => {
  await using world = new World();
  const topic = world.topic("t");
  await leavesNothing(() => Promise.all([topic.send({ value: "x" }), topic.lag(), topic.ensure()]));
});

/** Kinds of flows that read a topic, each with how it is bound. */
const flows: Record<string, (world: World, topic: Topic) => App> = {
  "a handler": (world, topic) => world.stream((app) => app.handle(topic, world.count)),
  "a handler that waits, with a limit": (world, topic) =>
    world.stream((app) => app.handle(topic, world.countLater, { handlerTimeout: 60_000 })),
  "a sink, with a commit a message": (world, topic) =>
    world.stream((app) => {
      const sink = world.topic("out");
      app.handle(topic, ({ value }) => {
        world.count();
        return ["k", value] as const;
      }, { sink });
    }, { commit: { messages: 1 } }),
  "exact state, with a commit a message": (world, topic) =>
    world.stream((app) => {
      const state = new MemoryCache<number>({ maxBytes: Infinity });
      app.handle(topic, async () => {
        await state.update("n", (n = 0) => n + 1);
        world.count();
      }, { name: "count", state });
    }, { commit: { messages: 1 } }),
  "a Proxy": (world, topic) =>
    world.stream((app) => {
      const proxy = new Proxy<string>();
      app.handle(topic, ({ value }) => value, { sink: proxy });
      app.handle(proxy, world.countLater);
    }),
  "a handler that listens to its signal": (world, topic) =>
    world.stream((app) => {
      app.handle(topic, async (_, { signal }) => {
        signal.addEventListener("abort", () => {});
        await world.countLater();
      });
    }),
  "a merge": (world, topic) =>
    world.stream((app) => app.handle(merge(topic, world.topic("other")), world.count)),
};

for (const [name, bind] of Object.entries(flows)) {
  Deno.test(`a message of a Topic leaves nothing behind in ${name}`, async () => {
    await using world = new World();
    const topic = world.topic("t");
    bind(world, topic);
    await leavesNothing(() => world.pass(topic));
  });
}

Deno.test("a pause leaves nothing behind", async () => {
  await using world = new World();
  const topic = world.topic("t");
  const app = flows["a handler"]!(world, topic);
  await leavesNothing(async () => {
    app.pause(topic);
    await turn();
    app.resume(topic);
    await world.pass(topic);
  });
});

Deno.test("a message that waits for a Checkpoint leaves nothing behind", async () => {
  await using world = new World();
  const [weather, questions] = [world.topic("weather"), world.topic("questions")];
  const checkpoint = new Checkpoint("questions", {
    dependent: questions,
    dependencies: [new Dependency("weather", weather)],
    mode: "wait",
    time: ({ value }) => Number(value),
  });
  world.stream((app) => {
    app.handle(weather, ({ value }) => checkpoint.heartbeat(Number(value)));
    app.handle(questions, async ({ value }) => {
      await checkpoint.checkPulse(Number(value));
      world.count();
    });
  });
  await leavesNothing(async (n) => {
    const passed = world.pass(questions, `${n + 1}`);
    await turn();
    await weather.send({ value: `${n + 2}` });
    await passed;
  });
});

Deno.test("a subscription to a Cache leaves nothing behind at a wait", async () => {
  await using world = new World();
  await using cache = new MemoryCache<number>();
  const ended = new AbortController();
  const reading = (async () => {
    for await (const _ of cache.updates({ signal: ended.signal })) world.count();
  })();
  await turn();
  await leavesNothing(async (n) => {
    const { handled } = world;
    await cache.set("k", n);
    while (world.handled === handled) await turn();
  });
  ended.abort();
  await reading;
});

Deno.test("a transaction with a signal leaves nothing behind", async () => {
  await using cache = new MemoryCache<number>();
  const { signal } = new AbortController();
  await leavesNothing(() =>
    cache.transaction(["k"], async (tx) => {
      await tx.set("k", 1);
      await turn();
    }, { signal })
  );
});
