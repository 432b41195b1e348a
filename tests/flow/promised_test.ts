import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  App,
  batch,
  deadLetter,
  map,
  merge,
  PipeError,
  Proxy,
  replayable,
  sequential,
  untilEnd,
} from "../../mod.ts";
import { Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { identity } from "../_support/identity.ts";
import { Recorder } from "../_support/recorder.ts";

async function* pool<T>(source: AsyncIterable<T>): AsyncGenerator<T> {
  yield* source;
}

const handler = (message: unknown) => message;
const numbers = () =>
  replayable<number, number>({
    name: "numbers",
    read: async function* () {
      yield* [1, 2];
    },
    position: (n) => n,
  });
const advice = [
  "map(), filter() or flatMap()",
  "sequential(pipe) if it holds nothing",
  "untilEnd(pipe)",
];

/** Checks that a flow is refused, for its pipe, when it is bound. */
function refused(bind: () => unknown, text: string): void {
  const { message } = assertThrows(bind, TypeError, text);
  for (const words of advice) assertEquals([words, message.includes(words)], [words, true]);
}

Deno.test("handle() refuses pipes that nobody can see into behind a source with positions", async () => {
  await using broker = new MemoryBroker();
  await using topic = new Topic("t", { broker, groupId: "g" });
  const named = (stage: string, source: string) =>
    `Cannot put ${stage} of flow "late" behind source "${source}", which has positions`;
  const flow = { name: "late" };
  const app = new App();
  refused(() => app.handle(topic, pool, handler, { ...flow }), named("pipe (pool)", "t"));
  refused(
    () => app.handle(topic, identity(), handler, { ...flow }),
    named("pipe (TransformStream)", "t"),
  );
  refused(
    () => app.handle(topic, map(handler), () => identity(), handler, { ...flow }),
    named("pipe 2", "t"),
  );
  refused(
    () => app.handle(topic, identity(), flow),
    named("the stream handler (TransformStream)", "t"),
  );
  refused(
    () => app.handle(numbers(), pool, handler, { ...flow }),
    named("pipe (pool)", "numbers"),
  );
  refused(
    () => app.handle(merge([1], numbers()), pool, handler, { ...flow }),
    named("pipe (pool)", "numbers"),
  );
  refused(
    () => app.handle(numbers(), sequential(pool), batch(2), pool, handler, { ...flow }),
    named("pipe 3 (pool)", "numbers"),
  );
  app.handle(numbers(), untilEnd(pool), () => {}, { ...flow }); // nothing of the others is left
  await app.stream();
});

Deno.test("handle() refuses them behind Proxies, whichever flow is bound last", () => {
  const text = 'Cannot put pipe (pool) of flow "late" behind source "numbers"';
  const ways: Record<string, (app: App, near: Proxy<unknown>, far: Proxy<unknown>) => unknown> = {
    sink: (app, near) => app.handle(numbers(), handler, { sink: near }),
    "second of two sinks": (app, near) =>
      app.handle(numbers(), handler, { sink: [() => {}, near] }),
    "dead letters": (app, near) => app.handle(numbers(), handler, { onError: deadLetter(near) }),
    "two Proxies": (app, near, far) => {
      app.handle(far, handler, { sink: near });
      return app.handle(numbers(), handler, { sink: far });
    },
    "two Proxies, the last first": (app, near, far) => {
      app.handle(numbers(), handler, { sink: far });
      return app.handle(far, handler, { sink: near });
    },
  };
  for (const way of Object.values(ways)) {
    const opaque = (app: App, proxy: Proxy<unknown>) =>
      app.handle(proxy, pool, handler, { name: "late" });
    for (const readerFirst of [true, false]) {
      const app = new App();
      const [near, far] = [new Proxy<unknown>(), new Proxy<unknown>()];
      if (readerFirst) opaque(app, near);
      else way(app, near, far);
      refused(() => readerFirst ? way(app, near, far) : opaque(app, near), text);
    }
  }
});

Deno.test("handle() refuses them behind a Proxy for the dead letters of the app", () => {
  const letters = new Proxy<unknown>();
  const app = new App({ onError: deadLetter(letters) });
  app.handle(letters, pool, handler, { name: "late" });
  refused(() => app.handle(numbers(), handler), 'pipe (pool) of flow "late"');
});

Deno.test("stream() refuses them behind a source that shows only then that it has positions", async () => {
  for (const proxied of [false, true]) {
    const source = new Recorder([1, 2]);
    const proxy = new Proxy<number>();
    const app = new App();
    if (proxied) app.handle(source, (n) => n, { sink: proxy });
    app.handle(
      proxied ? proxy : source,
      pool,
      handler,
      {
        name: "late",
      },
    );
    await assertRejects(
      () => app.stream(),
      TypeError,
      'Cannot put pipe (pool) of flow "late" behind source "Recorder"',
    );
    assertEquals([source.handedOut, source.cancelled], [0, 1]);
  }
});

Deno.test("a pipe that meets a message with a position that nobody knew of stops the app", async () => {
  const boom = () => {
    throw new Error("no");
  };
  const apps: Record<string, (source: Recorder<number>, proxy: Proxy<unknown>) => App[]> = {
    "dead letters that a function sends": (source, proxy) => {
      const app = new App();
      app.handle(proxy, pool, handler, { name: "late" });
      app.handle(source, boom, { onError: () => deadLetter(proxy) });
      return [app];
    },
    "what a handler sends by itself": (source, proxy) => {
      const app = new App();
      app.handle(proxy, pool, handler, { name: "late" });
      app.handle(source, (n) => void proxy.send(n));
      return [app];
    },
    "what a sink sends by itself": (source, proxy) => {
      const app = new App();
      app.handle(proxy, pool, handler, { name: "late" });
      app.handle(source, (n) => n, { sink: (n: number) => proxy.send(n) });
      return [app];
    },
    "a Proxy between two apps": (source, proxy) => {
      const [writer, reader] = [new App(), new App()];
      writer.handle(source, (n) => n, { sink: proxy });
      reader.handle(proxy, pool, handler, { name: "late" });
      return [reader, writer];
    },
    "batches between two apps": (source, proxy) => {
      const [writer, reader] = [new App(), new App()];
      writer.handle(source, batch(2), (some: number[]) => some, { sink: proxy });
      reader.handle(proxy, map(handler), pool, handler, { name: "late" });
      return [reader, writer];
    },
  };
  for (const [way, bind] of Object.entries(apps)) {
    const source = new Recorder([1, 2, 3]);
    const [reader, ...others] = bind(source, new Proxy<unknown>());
    const failed = assertRejects(() => reader!.stream(), PipeError);
    const ended = Promise.allSettled(others.map((app) => app.stream()));
    const error = await failed;
    await Promise.all(others.map((app) => app.close()));
    await ended;
    assertEquals([way, error.flow], [way, "late"]);
    for (const words of ["source with positions", "sequential(pipe)"]) {
      assertEquals([way, error.message.includes(words)], [way, true]);
    }
    assertEquals([way, source.acknowledged, source.committed], [way, [], []]);
  }
});

Deno.test("sources without positions take pipes that nobody can see into", async () => {
  const seen: unknown[] = [];
  const app = new App();
  const proxy = new Proxy<number>();
  const see = (n: unknown) => void seen.push(n);
  app.handle([1], (n) => n, { sink: proxy });
  app.handle(proxy, pool, see);
  app.handle(merge([2], ReadableStream.from([3])), identity<number>(), see);
  app.handle([4], identity<number>(), { sink: see });
  await app.stream();
  assertEquals(seen.toSorted(), [1, 2, 3, 4]);
});

Deno.test("what a pool in a pipe holds is not committed: promised untilEnd(), all of it comes again", async () => {
  await using broker = new MemoryBroker();
  await using topic = new Topic("t", { broker, groupId: "g", offset: "earliest" });
  for (let n = 0; n < 20; n++) await topic.send({ value: `${n}` });
  const hangs = Promise.withResolvers<string>();
  const saved: string[] = [];
  const app = new App({ commit: { messages: 1 } });
  const twelve = Promise.withResolvers<void>();
  app.handle(
    topic,
    untilEnd(async function* (source: AsyncIterable<{ value: string }>) {
      const running = new Map<string, Promise<string>>();
      for await (const { value } of source) {
        running.set(value, value === "3" ? hangs.promise : Promise.resolve(value));
        if (running.size < 4) continue;
        const done = await Promise.race(running.values());
        running.delete(done);
        yield done;
      }
      yield* await Promise.all(running.values());
    }),
    (value: string) => value,
    {
      sink: (value) => void (saved.push(value) === 12 && twelve.resolve()),
    },
  );
  const streaming = app.stream();
  await twelve.promise;
  assertEquals((await topic.offsets()).get(0)?.committed ?? 0, 0);
  hangs.resolve("3");
  await app.close();
  await streaming;
  assertEquals((await topic.offsets()).get(0)?.committed, saved.length);
  assertEquals(saved.includes("3"), true);
});
