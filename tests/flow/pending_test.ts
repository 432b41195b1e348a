import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { App, batch, filter, map, MemoryCache, Proxy, replayable } from "../../mod.ts";
import { currentMessage } from "../../src/flow/run/attribution.ts";
import { runDetached } from "../../src/flow/run/current.ts";
import { type Message, Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { committedOf, RARELY, untilStopped } from "../_support/topic_app.ts";
import { numbers } from "../_support/numbers.ts";

type Texts = Topic<string, string>;

/** A topic of the numbers from 0, and an app that makes durable what is done at once. */
async function topicOf(count: number) {
  const broker = new MemoryBroker();
  const topic: Texts = new Topic("in", { broker, groupId: "g", offset: "earliest" });
  for (let n = 0; n < count; n++) await topic.send({ value: `${n}` });
  const app = new App({ commit: { messages: 1 } });
  return { broker, topic, app };
}

/** Runs `app` while `body` runs, then stops it. */
async function during(app: App, body: () => Promise<void>): Promise<void> {
  const { signal, stop } = untilStopped();
  const streaming = app.stream({ signal });
  try {
    await body();
  } finally {
    stop();
    await streaming;
  }
}

const places = {
  "a handler": (topic: Texts, app: App, send: (text: string) => unknown) =>
    void app.handle(topic, ({ value }) => void send(value)),
  "an async handler": (topic: Texts, app: App, send: (text: string) => unknown) =>
    void app.handle(topic, async ({ value }) => {
      await settle();
      send(value);
    }),
  "a generator": (topic: Texts, app: App, send: (text: string) => unknown) =>
    void app.handle(topic, async function* ({ value }) {
      yield value;
      await settle();
      send(value);
    }, { sink: () => settle() }),
  "a sink function": (topic: Texts, app: App, send: (text: string) => unknown) =>
    void app.handle(topic, ({ value }) => value, { sink: (text) => void send(text) }),
  "a sink object": (topic: Texts, app: App, send: (text: string) => unknown) =>
    void app.handle(topic, ({ value }) => value, { sink: { write: (text) => void send(text) } }),
  "a map": (topic: Texts, app: App, send: (text: string) => unknown) =>
    void app.handle(topic, map(({ value }) => void send(value)), () => {}),
  "a filter": (topic: Texts, app: App, send: (text: string) => unknown) =>
    void app.handle(topic, filter(({ value }) => send(value) === 0), () => {}),
  "a map in front of a batch": (topic: Texts, app: App, send: (text: string) => unknown) =>
    void app.handle(topic, map(({ value }) => void send(value)), batch(1), () => {}),
  "a handler behind a batch": (topic: Texts, app: App, send: (text: string) => unknown) =>
    void app.handle(topic, batch(1), ([message]) => void send(message!.value)),
  "a handler behind a Proxy": (topic: Texts, app: App, send: (text: string) => unknown) => {
    const between = new Proxy<Message>();
    app.handle(topic, (message) => message, { sink: between });
    app.handle(between, ({ value }) => void send(value));
  },
  "an onError function": (topic: Texts, app: App, send: (text: string) => unknown) =>
    void app.handle(topic, () => {
      throw new Error("invalid");
    }, {
      onError(error) {
        send((error.root as Message).value);
        return "skip";
      },
    }),
  "the second of two flows": (topic: Texts, app: App, send: (text: string) => unknown) => {
    app.handle(topic, () => settle());
    app.handle(topic, ({ value }) => void send(value));
  },
};

for (const [place, bind] of Object.entries(places)) {
  Deno.test(`what ${place} sends to a Proxy, and does not await, belongs to its message`, async () => {
    const { broker, topic, app } = await topicOf(3);
    await using _ = broker;
    await using __ = topic;
    const proxy = new Proxy<string>();
    const held = Promise.withResolvers<void>();
    const saved: string[] = [];
    bind(topic, app, (text) => void proxy.send(text));
    app.handle(proxy, async (text) => {
      if (text === "1") await held.promise;
      saved.push(text);
    }, { name: "behind" });
    await during(app, async () => {
      while (saved.length < 1) await settle();
      for (let turn = 0; turn < 20; turn++) await settle();
      assertEquals([saved, await committedOf(topic)], [["0"], [1]]);
      held.resolve();
      while ((await committedOf(topic))[0] !== 3) await settle(); // without a further message
      assertEquals(saved, ["0", "1", "2"]);
    });
  });

  Deno.test(`what ${place} sends to a Topic, and does not await, belongs to its message`, async () => {
    const { broker, topic, app } = await topicOf(2);
    await using _ = broker;
    await using __ = topic;
    const held = Promise.withResolvers<void>();
    await using out = new Topic("out", {
      broker,
      codec: {
        decode: () => "",
        async encode(text: string) {
          if (text === "1") await held.promise;
          return new TextEncoder().encode(text);
        },
      },
    });
    bind(topic, app, (text) => void out.send({ value: text }));
    await during(app, async () => {
      while ((await committedOf(topic))[0] !== 1) await settle();
      for (let turn = 0; turn < 20; turn++) await settle();
      assertEquals(await committedOf(topic), [1]);
      held.resolve();
      while ((await committedOf(topic))[0] !== 2) await settle();
      assertEquals((await out.offsets()).get(0)!.high, 2);
    });
  });
}

Deno.test("a transaction that a handler does not await belongs to its message", async () => {
  const { broker, topic, app } = await topicOf(1);
  await using _ = broker;
  await using __ = topic;
  await using cache = new MemoryCache<string>();
  const held = Promise.withResolvers<void>();
  app.handle(topic, ({ value }) => {
    cache.update("last", () => held.promise.then(() => value));
  });
  await during(app, async () => {
    for (let turn = 0; turn < 20; turn++) await settle();
    assertEquals(await committedOf(topic), [0]);
    held.resolve();
    while ((await committedOf(topic))[0] !== 1) await settle();
    assertEquals(await cache.get("last"), "0");
  });
});

Deno.test("stream() ends after what its messages have sent, and commits them", async () => {
  const { broker, topic } = await topicOf(1);
  await using _ = broker;
  await using __ = topic;
  const app = new App({ commit: RARELY });
  await using cache = new MemoryCache<string>();
  const [held, begun] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  app.handle(topic, ({ value }) => {
    cache.update("last", () => {
      begun.resolve();
      return held.promise.then(() => value);
    });
  });
  const { signal, stop } = untilStopped();
  let ended = false;
  const streaming = app.stream({ signal }).then(() => ended = true);
  await begun.promise;
  stop();
  for (let turn = 0; turn < 20; turn++) await settle();
  assert(!ended);
  held.resolve();
  await streaming;
  assertEquals([await cache.get("last"), await committedOf(topic)], ["0", [1]]);
});

Deno.test("stream() ends though a handler has left something that goes on to write", async () => {
  const cache = new MemoryCache<number>();
  const app = new App();
  const calls: (() => void)[] = [];
  const writes: Promise<unknown>[] = [];
  let ended = false;
  const write = (n: number) => {
    writes.push(cache.update(`${n}`, async () => {
      await new Promise<void>((resolve) => calls.push(resolve));
      if (!ended) write(n + 2); // there is always another one that has not settled
      return n;
    }));
  };
  app.handle(numbers(1).source, () => {
    write(0);
    write(1);
  });
  const streaming = app.stream().then(() => ended = true);
  for (let turn = 0; turn < 100 && !ended; turn++) {
    await settle();
    calls.shift()?.();
  }
  assert(ended);
  await streaming;
  for (const end of calls) end();
  await Promise.all(writes);
  await cache.close();
});

Deno.test("a send that is refused, and handled, does not hold its message", async () => {
  const { broker, topic, app } = await topicOf(1);
  await using _ = broker;
  await using __ = topic;
  const proxy = new Proxy<string>();
  proxy.close();
  const refused: string[] = [];
  app.handle(topic, ({ value }) => {
    proxy.send(value).catch((error) => refused.push(error.name));
  });
  await during(app, async () => {
    while ((await committedOf(topic))[0] !== 1) await settle();
  });
  assertEquals(refused, ["ProxyEndedError"]);
});

Deno.test("a send that waits for room in a Proxy whose reader fails does not end the process", async () => {
  const { broker, topic, app } = await topicOf(1);
  await using _ = broker;
  await using __ = topic;
  const proxy = new Proxy<string>({ bound: 2 });
  const refused: string[] = [];
  const sent = Promise.withResolvers<void>();
  app.handle(topic, ({ value }) => {
    for (let n = 0; n < 5; n++) proxy.send(value).catch((error) => refused.push(error.name));
    sent.resolve();
  });
  app.handle(proxy, async () => {
    await sent.promise;
    throw new Error("invalid");
  });
  const error = await app.stream().catch((error) => error);
  assertStringIncludes(error.message, "invalid");
  assertEquals(refused, ["ProxyFullError", "ProxyEndedError"]);
  assert(((await committedOf(topic))[0] ?? 0) === 0);
});

for (const send of ["proxy", "topic", "cache", "transaction"]) {
  Deno.test(`a send whose rejection nobody handles ends the process before a commit: ${send}`, async () => {
    const program = new URL("../_support/unhandled_send.ts", import.meta.url).pathname;
    const args = ["run", "--allow-all", program, send];
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    const decoder = new TextDecoder();
    assertStringIncludes(decoder.decode(stderr), "Uncaught (in promise)");
    assertEquals([success, decoder.decode(stdout)], [false, "sent\n"]);
  });
}

Deno.test("what is sent for a message that is done is the caller's", async () => {
  const { broker, topic, app } = await topicOf(1);
  await using _ = broker;
  await using __ = topic;
  const proxy = new Proxy<string>();
  const later = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  let sent: Promise<void> | undefined;
  app.handle(topic, ({ value }) => {
    sent = later.promise.then(() => proxy.send(value));
  });
  const seen: string[] = [];
  app.handle(proxy, async (text) => {
    await held.promise;
    seen.push(text);
  });
  await during(app, async () => {
    while ((await committedOf(topic))[0] !== 1) await settle();
    later.resolve();
    await sent;
    held.resolve();
  });
  assertEquals(seen, ["0"]);
});

Deno.test("flows that send to Proxies by hand finish what is in flight when the app stops", async () => {
  const { broker, topic, app } = await topicOf(40);
  await using _ = broker;
  await using __ = topic;
  const lanes = [0, 1].map(() => new Proxy<string>({ bound: 2 }));
  const saved: string[] = [];
  const { signal, stop } = untilStopped();
  app.handle(topic, async ({ value }) => {
    if (value === "20") stop();
    await settle();
    await lanes[Number(value) % 2]!.send(value);
  }, { name: "router" });
  for (const [index, lane] of lanes.entries()) {
    app.handle(lane, async (text) => {
      await settle();
      saved.push(text);
    }, { name: `lane ${index}` });
  }
  await app.stream({ signal });
  assertEquals(saved.length, 21);
  assertEquals(await committedOf(topic), [21]);
});

Deno.test("a Proxy that code outside sends to takes nothing more when the app stops", async () => {
  const app = new App();
  const proxy = new Proxy<number>();
  const seen: number[] = [];
  app.handle(proxy, (n) => void seen.push(n));
  const { signal, stop } = untilStopped();
  const streaming = app.stream({ signal });
  await proxy.send(1);
  stop();
  const refused = await proxy.send(2).catch((error) => error.name);
  await streaming;
  assertEquals([seen, refused], [[1], "ProxyEndedError"]);
});

Deno.test("a batch that is passed on by its time is committed without a further message", async () => {
  const { broker, topic } = await topicOf(1);
  await using _ = broker;
  await using __ = topic;
  const clock = new ManualClock();
  const app = new App({ clock, commit: { interval: 10 } });
  const handled = Promise.withResolvers<void>();
  app.handle(topic, batch(10, 1000), () => handled.resolve());
  await during(app, async () => {
    for (let step = 0; step < 30; step++) {
      await settle();
      await clock.tick(100);
    }
    await handled.promise;
    await settle();
    assertEquals(await committedOf(topic), [1]);
  });
});

Deno.test("a message that came to another app by a Proxy is committed by its own", async () => {
  const { broker, topic, app } = await topicOf(1);
  await using _ = broker;
  await using __ = topic;
  const proxy = new Proxy<string>();
  const held = Promise.withResolvers<void>();
  app.handle(topic, ({ value }) => void proxy.send(value));
  const other = new App();
  other.handle(proxy, () => held.promise);
  await during(other, () =>
    during(app, async () => {
      for (let turn = 0; turn < 20; turn++) await settle();
      assertEquals(await committedOf(topic), [0]);
      held.resolve();
      while ((await committedOf(topic))[0] !== 1) await settle();
    }));
});

Deno.test("runDetached() holds for what goes on after a wait", async () => {
  const app = new App();
  const flows: (string | undefined)[] = [];
  app.handle(numbers(1).source, async () => {
    flows.push(currentMessage()?.flow);
    await runDetached(async () => {
      await settle();
      flows.push(currentMessage()?.flow);
    });
    flows.push(currentMessage()?.flow);
  }, { name: "sum" });
  await app.stream();
  assertEquals(flows, ["sum", undefined, "sum"]);
});

Deno.test("a source works for no message", async () => {
  const app = new App();
  const flows: (string | undefined)[] = [];
  const source = replayable<number, number>({
    name: "numbers",
    position: (n) => n,
    async *read() {
      try {
        for (let n = 0; n < 3; n++) {
          await settle();
          flows.push(currentMessage()?.flow);
          yield n;
        }
      } finally {
        flows.push(currentMessage()?.flow);
      }
    },
  });
  app.handle(source, () => {});
  await app.stream();
  assertEquals(flows, [undefined, undefined, undefined, undefined]);
});
