import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  App,
  batch,
  type CodecError,
  deadLetter,
  type ExactPipe,
  filter,
  flatMap,
  type FlowFailure,
  JsonCodec,
  map,
  merge,
  type Pipe,
  Proxy,
  sequential,
  SinkError,
  type StatusEvent,
  untilEnd,
} from "../../mod.ts";
import { type Message, redrive, Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { DeadLetters } from "../../src/kafka/topic/dead_letter.ts";
import { settle } from "../../src/testing/mod.ts";

type In = Message<string, { n: number }>;
type Pipes = readonly Pipe<unknown, unknown>[];

const options = { groupId: "g", offset: "earliest" } as const;
const text = (bytes: Uint8Array | null | undefined) => bytes && new TextDecoder().decode(bytes);

/** Makes a topic with `count` messages, and one for dead letters, with a broker of their own. */
async function topics(count: number) {
  const broker = new MemoryBroker();
  const codec = new JsonCodec<{ n: number }>();
  const input = new Topic<string, { n: number }>("in", { ...options, broker, codec });
  const dead = new Topic("dead", { ...options, broker });
  for (let n = 0; n < count; n++) {
    await input.send({ key: `k${n}`, value: { n }, headers: { trace: `t${n}` }, timestamp: n });
  }
  return {
    broker,
    input,
    dead,
    async [Symbol.asyncDispose]() {
      await input.close();
      await dead.close();
      await broker.close();
    },
  };
}

/** What is in a topic now: key, value, time, headers. */
async function contentOf(topic: Topic): Promise<Record<string, unknown>[]> {
  const { high } = (await topic.offsets()).get(0)!;
  const letters: Record<string, unknown>[] = [];
  if (high === 0) return letters;
  for await (const { key, value, timestamp, headers, offset } of topic) {
    const facts = Object.fromEntries([...headers].map(([name, bytes]) => [name, text(bytes)]));
    letters.push({ key, value, timestamp, ...facts });
    if (offset === high - 1) break;
  }
  return letters;
}

/** Checks that there is one dead letter of each of these messages, as they were. */
async function assertLetters(dead: Topic, numbers: readonly number[], flow = "f"): Promise<void> {
  const letters = await contentOf(dead);
  assertEquals(
    letters.map((letter) =>
      [
        "key",
        "value",
        "timestamp",
        "trace",
        "dead-letter-topic",
        "dead-letter-offset",
        "dead-letter-flow",
      ]
        .map((name) => letter[name])
    ),
    numbers.map((n) => [`k${n}`, `{"n":${n}}`, n, `t${n}`, "in", `${n}`, flow]),
  );
}

async function committed(topic: { offsets: Topic["offsets"] }): Promise<number | undefined> {
  return (await topic.offsets()).get(0)?.committed;
}

const boom = () => {
  throw new Error("boom");
};
const same = <T>(message: T) => message;
const chains: Record<string, Pipes> = {
  batch: [batch(4)],
  "batch then map": [batch(4), map((some) => (some as In[]).length)],
  "batch then map to its last": [batch(4), map((some) => (some as In[]).at(-1))],
  "map then batch": [map((message) => (message as In).value.n), batch(4)],
  "filter then batch then filter": [filter(() => true), batch(4), filter(() => true)],
  "flatMap then batch": [flatMap((message) => [message, message]), batch(8)],
  "flatMap then smaller batches": [flatMap((message) => [message, message]), batch(1), batch(3)],
  "batch then flatMap": [batch(4), flatMap((some) => some as In[])],
  "batch then flatMap to values": [
    batch(4),
    flatMap((some) => (some as In[]).map(({ value }) => value)),
  ],
  "batch of batches": [batch(2), batch(2)],
  "batch, flatMap, batch": [batch(2), flatMap((some) => some as In[]), batch(3)],
  "sequential then batch": [
    sequential<unknown, unknown>(async function* (source) {
      for await (const message of source) yield (message as In).value;
    }),
    batch(4),
  ],
};

for (const [chain, pipes] of Object.entries(chains)) {
  for (const place of ["handler", "sink"]) {
    Deno.test(`deadLetter(topic) behind ${chain} keeps each message once when the ${place} fails`, async () => {
      await using world = await topics(8);
      const { input, dead } = world;
      const app = new App();
      app.handle(
        input,
        ...pipes as readonly unknown[] as [ExactPipe<In, unknown>, ExactPipe<unknown, unknown>],
        place === "handler" ? boom : (value: unknown) => value,
        {
          name: "f",
          sink: boom,
          onError: deadLetter(dead),
        },
      );
      const streaming = app.stream();
      for (let n = 0; n < 20; n++) await settle();
      await app.close();
      await streaming;
      await assertLetters(dead, [0, 1, 2, 3, 4, 5, 6, 7]);
      assertEquals(await committed(input), 8);
    });
  }
}

/** Streams until everything that can be handled is. */
async function run(app: App): Promise<void> {
  const streaming = app.stream();
  streaming.catch(() => {});
  for (let n = 0; n < 20; n++) await settle();
  await app.close();
  await streaming;
}

Deno.test("deadLetter(topic) keeps each message of a batch that fails behind Proxies", async () => {
  await using world = await topics(4);
  const { input, dead } = world;
  const app = new App();
  const [some, sums] = [new Proxy<number[]>(), new Proxy<string>()];
  app.handle(input, batch(2), (messages: In[]) => messages.map(({ value }) => value.n), {
    sink: some,
  });
  app.handle(some, (numbers) => numbers.join(), { sink: sums });
  app.handle(sums, map(same<string>), boom, { name: "f", onError: deadLetter(dead) });
  await run(app);
  await assertLetters(dead, [0, 1, 2, 3]);
  assertEquals(await committed(input), 4);
});

Deno.test("deadLetter(topic) keeps each message of a batch behind a Proxy once, also of several values", async () => {
  await using world = await topics(3);
  const { input, dead } = world;
  const app = new App();
  const proxy = new Proxy<number>();
  app.handle(input, function* ({ value }) {
    yield value.n;
    yield -value.n;
  }, { sink: proxy });
  app.handle(proxy, batch<number>(4), boom, { name: "f", onError: deadLetter(dead) });
  await run(app);
  await assertLetters(dead, [0, 1, 2]);
  assertEquals(await committed(input), 3);
});

Deno.test("deadLetter(topic) keeps each message of a batch of several topics", async () => {
  await using world = await topics(2);
  const { broker, input, dead } = world;
  await using other = new Topic("other", { ...options, broker });
  await other.send({ key: "o", value: "0" });
  const app = new App();
  app.handle(merge(input, other), batch<In | Message>(10, 10), boom, {
    onError: deadLetter(dead),
  });
  await run(app);
  const letters = await contentOf(dead);
  assertEquals(
    letters.map((letter) => [letter["dead-letter-topic"], letter.key]).toSorted(),
    [["in", "k0"], ["in", "k1"], ["other", "o"]],
  );
  assertEquals([await committed(input), await committed(other)], [2, 1]);
});

Deno.test("deadLetter(topic) keeps one letter of a message of which several elements fail", async () => {
  await using world = await topics(2);
  const { input, dead } = world;
  const failures: unknown[] = [];
  const app = new App({
    onStatus: (event) => void (event.type === "dead_letter" && failures.push(event)),
  });
  app.handle(input, flatMap(({ value }: In) => [value.n, value.n + 1, value.n + 2]), boom, {
    name: "f",
    onError: deadLetter(dead),
  });
  await run(app);
  await assertLetters(dead, [0, 1]);
  assertEquals(failures.length, 6);
});

Deno.test("an element of a batch that is a message of it itself fails alone", async () => {
  await using world = await topics(4);
  const { input, dead } = world;
  const app = new App();
  app.handle(input, batch<In>(4), flatMap((some: In[]) => some), ({ value }: In) => {
    if (value.n === 2) throw new Error("boom");
  }, {
    name: "f",
    onError: deadLetter(dead),
  });
  await run(app);
  await assertLetters(dead, [2]);
  assertEquals(await committed(input), 4);
});

Deno.test("a flatMap() over a batch that fails after some elements keeps the whole batch", async () => {
  await using world = await topics(3);
  const { input, dead } = world;
  const app = new App();
  app.handle(
    input,
    batch<In>(3),
    flatMap(function* (some: In[]) {
      yield some[0]!;
      throw new Error("boom");
    }),
    () => {},
    {
      name: "f",
      onError: deadLetter(dead),
    },
  );
  await run(app);
  await assertLetters(dead, [0, 1, 2]);
});

Deno.test("a dead-letter function is told of each message of a batch; input is what failed", async () => {
  await using world = await topics(4);
  const { input } = world;
  const told: unknown[] = [];
  const events: StatusEvent[] = [];
  const app = new App({ onStatus: (event) => events.push(event) });
  app.handle(input, map(({ value }: In) => value.n), batch<number>(2), boom, {
    onError: deadLetter(({ input, origin, root, offset, name }) => {
      told.push([input, (origin as In).offset, root === origin, offset, name]);
    }),
  });
  app.handle([7, 7, 8], flatMap((n: number) => [n, n]), batch<number>(5), boom, {
    onError: deadLetter(({ input, origin, root }) => void told.push([input, origin, root])),
  });
  await run(app);
  assertEquals(told.filter((each) => (each as unknown[]).length === 5), [
    [[0, 1], 0, true, 0, "HandlerError"],
    [[0, 1], 1, true, 1, "HandlerError"],
    [[2, 3], 2, true, 2, "HandlerError"],
    [[2, 3], 3, true, 3, "HandlerError"],
  ]);
  assertEquals(told.filter((each) => (each as unknown[]).length === 3), [
    [[7, 7, 7, 7, 8], 7, 7],
    [[7, 7, 7, 7, 8], 7, 7],
    [[7, 7, 7, 7, 8], 8, 8],
    [[8], 8, 8],
  ]);
  assertEquals(events.filter(({ type }) => type === "dead_letter").length, 8);
});

Deno.test("dead letters of a batch that go to a Proxy hold each its own message", async () => {
  await using world = await topics(2);
  const { input, dead } = world;
  const letters = new Proxy<unknown>({ bound: 1 });
  const app = new App();
  app.handle(input, batch<In>(2), boom, { onError: deadLetter(letters) });
  app.handle(letters, boom, { name: "f", onError: deadLetter(dead) });
  await run(app);
  await assertLetters(dead, [0, 1]);
  assertEquals(await committed(input), 2);
});

Deno.test("a message in a batch that cannot be read has its batch kept, as it was", async () => {
  await using world = await topics(2);
  const { broker, input, dead } = world;
  await using raw = new Topic("in", { broker });
  await raw.send({ key: "k2", value: "{bad", headers: { trace: "t2" }, timestamp: 2 });
  const errors: unknown[] = [];
  const app = new App();
  app.handle(input, batch<In>(3), (some: In[]) => void some.map(({ value }) => value), {
    onError: (error) => {
      errors.push([error.name, error.offset, ((error as CodecError).input as In).offset]);
      return deadLetter(dead);
    },
  });
  await run(app);
  assertEquals(errors, [["CodecError", 2, 2]]);
  const letters = await contentOf(dead);
  assertEquals(letters.map(({ key, value }) => [key, value]), [
    ["k0", '{"n":0}'],
    ["k1", '{"n":1}'],
    ["k2", "{bad"],
  ]);
});

for (const kind of ["map", "filter", "flatMap"]) {
  Deno.test(`a message that cannot be read in ${kind}() is a dead letter, as it was`, async () => {
    await using world = await topics(2);
    const { broker, input, dead } = world;
    await using raw = new Topic("in", { broker });
    await raw.send({ key: "k2", value: "{bad" });
    await input.send({ key: "k3", value: { n: 3 } });
    const seen: unknown[] = [];
    const read = ({ value }: In) => value.n;
    const pipe: ExactPipe<In, unknown> = kind === "map"
      ? map(read)
      : kind === "filter"
      ? filter((message: In) => read(message) >= 0)
      : flatMap((message: In) => [read(message)]);
    const app = new App();
    app.handle(input, pipe, (n: unknown) => void seen.push(n), { onError: deadLetter(dead) });
    await run(app);
    const letters = await contentOf(dead);
    assertEquals(letters.map((letter) => [letter.value, letter["dead-letter-step"]]), [
      ["{bad", "CodecError"],
    ]);
    assertEquals([seen.length, await committed(input)], [3, 4]);
  });
}

Deno.test("redrive() sends the letters of a batch back as they were", async () => {
  await using world = await topics(4);
  const { input, dead } = world;
  const app = new App();
  const seen: unknown[] = [];
  let failures = 1;
  app.handle(input, batch<In>(4), (some: In[]) => {
    if (failures-- > 0) throw new Error("once");
    for (const { key, value, headers } of some) seen.push([key, value.n, [...headers.keys()]]);
  }, { onError: deadLetter(dead) });
  app.handle(dead, (letter) => letter, { sink: redrive(input) });
  await run(app);
  assertEquals(seen, [0, 1, 2, 3].map((n) => [`k${n}`, n, ["trace"]]));
});

Deno.test("a batch whose dead letters cannot all be written is not acknowledged", async () => {
  await using world = await topics(4);
  const { input } = world;
  const written: unknown[] = [];
  const app = new App();
  app.handle(input, batch<In>(4), boom, {
    onError: deadLetter(({ origin }) => {
      written.push((origin as In).offset);
      if (written.length === 3) throw new Error("no room");
    }),
  });
  await assertRejects(() => run(app), SinkError, "no room");
  assertEquals([written, await committed(input) ?? 0], [[0, 1, 2], 0]);
});

Deno.test("a dead letter that a topic did not take is written when it is tried again", async () => {
  await using world = await topics(1);
  const failures: FlowFailure[] = [];
  const app = new App();
  app.handle(world.input, boom, { onError: deadLetter((failure) => void failures.push(failure)) });
  await run(app);
  const letters = new DeadLetters();
  let written = 0;
  assertThrows(() => letters.once(failures[0]!, boom), Error, "boom");
  await assertRejects(async () =>
    await letters.once(failures[0]!, () => Promise.reject(new Error("no")))
  );
  await letters.once(failures[0]!, () => void written++);
  await letters.once(failures[0]!, () => void written++);
  assertEquals(written, 1);
});

Deno.test("behind untilEnd() a dead letter is the message that failed, or an error: nothing is lost", async () => {
  for (const kind of ["messages", "values"]) {
    await using world = await topics(3);
    const { input, dead } = world;
    const app = new App();
    app.handle(
      input,
      untilEnd(async function* (source: AsyncIterable<In>) {
        for await (const message of source) yield kind === "messages" ? message : [message];
      }),
      boom,
      {
        name: "f",
        onError: deadLetter(dead),
      },
    );
    if (kind === "messages") {
      await run(app);
      await assertLetters(dead, [0, 1, 2]);
      assertEquals(await committed(input), 3);
    } else {
      await assertRejects(() => run(app), SinkError, "it is unknown which messages");
      assertEquals([await contentOf(dead), await committed(input) ?? 0], [[], 0]);
    }
  }
});
