import { assertEquals, assertRejects } from "@std/assert";
import { App, batch, HandlerError, map, Proxy, SinkError } from "../../mod.ts";
import { ManualClock, Scheduler, settle } from "../../src/testing/mod.ts";
import { Recorder } from "../_support/recorder.ts";

Deno.test("batch() passes on arrays of its size, and what is left at the end", async () => {
  const seen: number[][] = [];
  const app = new App();
  app.handle([1, 2, 3, 4, 5], batch(2), (some) => void seen.push(some));
  await app.stream();
  assertEquals(seen, [[1, 2], [3, 4], [5]]);
});

Deno.test("batch() of an empty source gives nothing", async () => {
  const seen: number[][] = [];
  const app = new App();
  app.handle([] as number[], batch(2), (some) => void seen.push(some));
  await app.stream();
  assertEquals(seen, []);
});

Deno.test("batch() acknowledges the messages of a batch when the batch is done", async () => {
  const source = new Recorder([1, 2, 3, 4, 5]);
  const seen: unknown[] = [];
  const app = new App();
  app.handle(source, batch(2), (some: number[]) => some, {
    sink: async (some) => {
      await settle();
      seen.push([some, source.ackedTo]);
    },
  });
  await app.stream();
  assertEquals(seen, [[[1, 2], 0], [[3, 4], 2], [[5], 4]]);
  assertEquals(source.acknowledged, [0, 1, 2, 3, 4]);
});

Deno.test("batch() passes on what it has when the time of its first message is up", async () => {
  const clock = new ManualClock();
  const source = new Recorder([1, 2], { open: true });
  const seen: unknown[] = [];
  const app = new App({ clock });
  app.handle(source, batch(3, 100), (some: number[]) => void seen.push([clock.monotonic(), some]));
  const streaming = app.stream();
  await clock.tick(60);
  source.push(3);
  source.push(4);
  await clock.tick(99);
  assertEquals([seen, source.ackedTo], [[[60, [1, 2, 3]]], 3]);
  await clock.tick(1);
  assertEquals([seen, source.ackedTo], [[[60, [1, 2, 3]], [160, [4]]], 4]);
  source.end();
  await streaming;
  assertEquals(seen.length, 2);
});

Deno.test("batch() by time keeps order while a batch is slow, and takes messages meanwhile", async () => {
  const clock = new ManualClock();
  const source = new Recorder([1], { open: true });
  const done: (() => void)[] = [];
  const seen: number[][] = [];
  const app = new App({ clock });
  app.handle(source, batch(2, 100), (some: number[]) => {
    seen.push(some);
    return new Promise<void>((resolve) => done.push(resolve));
  });
  const streaming = app.stream();
  await clock.tick(100);
  source.push(2, 3);
  await clock.tick(500);
  assertEquals([seen, source.ackedTo], [[[1]], 0]);
  done[0]!();
  await settle();
  assertEquals([seen, source.ackedTo], [[[1], [2, 3]], 1]);
  done[1]!();
  await settle();
  source.end();
  await streaming;
  assertEquals(source.acknowledged, [0, 1, 2]);
});

Deno.test("batch() passes on what is left, before its time, when the app stops", async () => {
  const clock = new ManualClock();
  const controller = new AbortController();
  const source = new Recorder([1, 2], { open: true });
  const seen: number[][] = [];
  const app = new App({ clock });
  app.handle(source, batch(3, 100), (some: number[]) => void seen.push(some));
  const streaming = app.stream({ signal: controller.signal });
  await settle();
  controller.abort();
  await streaming;
  assertEquals([seen, source.ackedTo, source.committed], [[[1, 2]], 2, [2]]);
  assertEquals(clock.pending, 0);
});

Deno.test("batch() behind map() and before map() acknowledges exactly", async () => {
  const source = new Recorder([1, 2, 3, 4]);
  const seen: unknown[] = [];
  const app = new App();
  app.handle(
    source,
    map((n: number) => n * 10),
    batch<number>(2),
    map(async (some: number[]) => {
      await settle();
      return some.join("+");
    }),
    (text: string) => void seen.push([text, source.ackedTo]),
  );
  await app.stream();
  assertEquals(seen, [["10+20", 0], ["30+40", 2]]);
  assertEquals(source.acknowledged, [0, 1, 2, 3]);
});

Deno.test("batch() of a batch acknowledges when the outer one is done", async () => {
  const source = new Recorder([1, 2, 3, 4, 5]);
  const seen: unknown[] = [];
  const app = new App();
  app.handle(
    source,
    batch<number>(2),
    batch<number[]>(2),
    (some: number[][]) => void seen.push([some, source.ackedTo]),
  );
  await app.stream();
  assertEquals(seen, [[[[1, 2], [3, 4]], 0], [[[5]], 4]]);
  assertEquals(source.ackedTo, 5);
});

Deno.test("batch() in front of a Proxy acknowledges when the flows behind the Proxy are done", async () => {
  const source = new Recorder([1, 2, 3]);
  const proxy = new Proxy<number[]>();
  const ackedTo: number[] = [];
  const app = new App();
  app.handle(source, batch(2), (some: number[]) => some, { sink: proxy });
  app.handle(proxy, async () => {
    for (let turn = 0; turn < 3; turn++) await settle();
    ackedTo.push(source.ackedTo);
  });
  await app.stream();
  assertEquals(ackedTo, [0, 2]);
  assertEquals(source.ackedTo, 3);
});

Deno.test("a batch by time whose handler or sink fails ends the app, unacknowledged", async () => {
  for (const place of ["handler", "sink"]) {
    for (const kind of ["now", "later"]) {
      const fail = () => {
        if (kind === "later") return Promise.reject(new Error("no"));
        throw new Error("no");
      };
      const clock = new ManualClock();
      const source = new Recorder([1, 2], { open: true });
      const app = new App({ clock });
      app.handle(source, batch(3, 100), (some: number[]) => place === "handler" ? fail() : some, {
        sink: () => fail(),
      });
      const ended = assertRejects(() => app.stream(), Error, "no");
      await clock.tick(100);
      const error = await ended;
      assertEquals(error instanceof HandlerError, place === "handler");
      assertEquals(error instanceof SinkError, place === "sink");
      assertEquals([source.ackedTo, source.committed], [0, []]);
      assertEquals(clock.pending, 0);
    }
  }
});

Deno.test("one batch() serves several flows and runs, each with batches of its own", async () => {
  const inTwos = batch<number>(2);
  const seen: number[][] = [];
  const app = new App();
  app.handle([1, 2, 3], inTwos, (some: number[]) => void seen.push(some));
  app.handle([4, 5, 6], inTwos, (some: number[]) => void seen.push(some));
  await app.stream();
  await app.stream();
  assertEquals(seen.map(String).toSorted(), ["1,2", "1,2", "3", "3", "4,5", "4,5", "6", "6"]);
});

Deno.test("batch() passing on by time the last messages of a circle of flows lets it end", async () => {
  const scheduler = new Scheduler(0);
  const app = new App({ clock: scheduler.clock });
  const proxy = new Proxy<number>();
  const seen: number[][] = [];
  app.handle([1, 2, 3], (n) => n, { sink: proxy });
  app.handle(proxy, batch(2, 5), (some): number | undefined => void seen.push(some), {
    sink: proxy,
  });
  await scheduler.run(app.stream());
  assertEquals(seen, [[1, 2], [3]]);
});
