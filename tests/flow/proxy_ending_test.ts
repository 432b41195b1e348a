import { assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  App,
  batch,
  CycleError,
  HandlerError,
  Proxy,
  ProxyEndedError,
  ProxyFullError,
} from "../../mod.ts";
import { settle } from "../../src/testing/mod.ts";
import { Recorder } from "../_support/recorder.ts";

Deno.test("Proxy that no flow reads is reported when it is full", async () => {
  const app = new App();
  app.handle([1, 2, 3], (n) => n, { sink: new Proxy<number>({ bound: 2 }) });
  const error = await assertRejects(() => app.stream());
  assertInstanceOf(error.cause, CycleError);
  assertEquals(error.message.includes("no flow reads it"), true);
});

Deno.test("Proxy.close() ends a Proxy that no flow writes to; what is queued is still read", async () => {
  const app = new App();
  const proxy = new Proxy<number>({ bound: 4 });
  const log: number[] = [];
  app.handle([1, 2, 3], (n) => proxy.send(n));
  app.handle(proxy, (n) => void log.push(n));
  const streaming = app.stream();
  for (let turn = 0; turn < 3; turn++) await settle();
  await proxy.send(4);
  proxy.close();
  await streaming;
  assertEquals(log, [1, 2, 3, 4]);
  await assertRejects(() => proxy.send(5), ProxyEndedError);
});

Deno.test("Proxy that no flow writes to ends when the app stops", async () => {
  const app = new App();
  const proxy = new Proxy<number>();
  const log: number[] = [];
  app.handle(proxy, (n) => void log.push(n));
  const streaming = app.stream();
  await proxy.send(1);
  await app.close();
  await streaming;
  assertEquals(log, [1]);
});

Deno.test("Proxy.send() before stream() is read by the flows", async () => {
  const app = new App();
  const proxy = new Proxy<number>();
  const log: number[] = [];
  app.handle(proxy, (n) => void log.push(n));
  await proxy.send(1);
  const streaming = app.stream();
  proxy.close();
  await streaming;
  assertEquals(log, [1]);
});

Deno.test("Proxy.send() rejects after the flows that write to it have ended", async () => {
  const app = new App();
  const proxy = new Proxy<number>();
  app.handle([1], (n) => n, { sink: proxy });
  app.handle(proxy, () => {});
  await app.stream();
  await assertRejects(() => proxy.send(2), ProxyEndedError);
});

Deno.test("Proxy.send() rejects when as many sends wait as the Proxy may hold", async () => {
  const proxy = new Proxy<number>({ bound: 2 });
  await proxy.send(1);
  await proxy.send(2);
  const waiting = [proxy.send(3), proxy.send(4)];
  await assertRejects(() => proxy.send(5), ProxyFullError, "at most 2 sends");
  const app = new App();
  const log: number[] = [];
  app.handle(proxy, (n) => void log.push(n));
  const streaming = app.stream();
  await Promise.all(waiting);
  proxy.close();
  await streaming;
  assertEquals(log, [1, 2, 3, 4]);
});

Deno.test("Proxy.writer() keeps the Proxy open until it is closed", async () => {
  const app = new App();
  const proxy = new Proxy<number>();
  const log: number[] = [];
  app.handle([1], (n) => n, { sink: proxy });
  app.handle(proxy, (n) => void log.push(n));
  let streaming: Promise<void>;
  {
    using writer = proxy.writer();
    streaming = app.stream();
    for (let turn = 0; turn < 5; turn++) await settle();
    await writer.send(2);
  }
  await streaming;
  assertEquals(log, [1, 2]);
});

Deno.test("Proxy that no flow writes to ends when its last writer is closed", async () => {
  const app = new App();
  const proxy = new Proxy<number>();
  const log: number[] = [];
  app.handle(proxy, (n) => void log.push(n));
  for (const value of [1, 2]) {
    const [first, last] = [proxy.writer(), proxy.writer()];
    const streaming = app.stream();
    await first.send(value);
    first.close();
    for (let turn = 0; turn < 5; turn++) await settle();
    await last.send(-value);
    last.close();
    await streaming;
  }
  assertEquals(log, [1, -1, 2, -2]);
});

Deno.test("Proxy whose last writer was closed ends no later run by that", async () => {
  const app = new App();
  const proxy = new Proxy<number>();
  const log: number[] = [];
  app.handle(proxy, (n) => void log.push(n));
  proxy.writer().close();
  await app.stream();
  const streaming = app.stream();
  for (let turn = 0; turn < 5; turn++) await settle();
  await proxy.send(1);
  await app.close();
  await streaming;
  assertEquals(log, [1]);
});

Deno.test("Proxy ended by a run is open again in the next one", async () => {
  const app = new App();
  const proxy = new Proxy<number>();
  const log: number[] = [];
  app.handle([1, 2], (n) => n, { sink: proxy });
  app.handle(proxy, (n) => void log.push(n));
  await app.stream();
  await app.stream();
  assertEquals(log, [1, 2, 1, 2]);
});

Deno.test("Proxy whose reader fails releases the flow that waits for room, unacknowledged", async () => {
  const app = new App();
  const source = new Recorder([1, 2, 3, 4, 5, 6]);
  const proxy = new Proxy<number>({ bound: 1 });
  let closed = 0;
  app.handle(source, async function* (n) {
    try {
      yield n;
      await Promise.resolve();
      yield n;
    } finally {
      closed++;
    }
  }, { sink: proxy, onError: "skip" });
  app.handle(proxy, async () => {
    await settle();
    throw new Error("broken");
  });
  const error = await assertRejects(() => app.stream());
  assertEquals((error.cause as Error).message, "broken");
  assertEquals(source.acknowledged, []);
  assertEquals(closed, source.handedOut);
});

Deno.test("Proxy refuses a bound that is not a positive integer", () => {
  for (const bound of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(() => new Proxy({ bound }), RangeError, `current value is ${bound}`);
  }
});

Deno.test("Proxy ends only after the flows that write to it, which may still hold a batch", async () => {
  const app = new App();
  const numbers = new Proxy<number>();
  const batches = new Proxy<number[]>();
  const seen: number[][] = [];
  app.handle([1, 2, 3], (n) => n, { sink: numbers });
  app.handle(numbers, batch(2), (some) => some, { sink: batches });
  app.handle(batches, (some) => void seen.push(some));
  await app.stream();
  assertEquals(seen, [[1, 2], [3]]);
});

Deno.test("Proxy ends its writers with the flow that failed behind it, without an error of their own", async () => {
  for (const waits of [false, true]) {
    const app = new App();
    const proxy = new Proxy<number>({ bound: 1 });
    const failed = Promise.withResolvers<void>();
    const met: unknown[] = [];
    app.handle([1, 2, 3, 4], async (n) => {
      if (n > 1 && !waits) await failed.promise;
      return n;
    }, { sink: proxy, onError: (error) => (met.push(error), "stop") });
    app.handle(proxy, async () => {
      await settle();
      setImmediate(() => setImmediate(failed.resolve));
      throw new Error("broken");
    }, { name: "reader" });
    const error = await assertRejects(() => app.stream(), HandlerError, '"reader": broken');
    assertEquals([error.others, met], [[], []]);
    await assertRejects(() => proxy.send(5), ProxyEndedError);
  }
});
