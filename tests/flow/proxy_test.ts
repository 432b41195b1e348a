import { assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  App,
  batch,
  CycleError,
  HandlerError,
  merge,
  Proxy,
  ProxyEndedError,
  ProxyFullError,
} from "../../mod.ts";
import { settle } from "../../src/testing/mod.ts";
import { Recorder } from "../_support/recorder.ts";

const counted = (length: number) => Array.from({ length }, (_, index) => index);

for (const bound of [1, 2, undefined]) {
  const name = `with ${bound === undefined ? "the default bound" : `bound ${bound}`}`;

  Deno.test(`Proxy, ${name}: a message is acknowledged after the flows behind it, in order`, async () => {
    const app = new App();
    const source = new Recorder([0, 1, 2, 3]);
    const proxy = new Proxy<number>({ bound });
    const log: string[] = [];
    app.handle(source, function* (n) {
      yield n * 10;
      yield n * 10 + 1;
    }, { sink: proxy });
    app.handle(proxy, async (n) => {
      await settle();
      const root = Math.floor(n / 10);
      assertEquals(source.acknowledged.includes(root), false);
      log.push(`a${n}`);
    });
    app.handle(proxy, (n) => void log.push(`b${n}`));
    await app.stream();
    assertEquals(log.length, 16);
    assertEquals(
      log.filter((entry) => entry.startsWith("a")).join(" "),
      "a0 a1 a10 a11 a20 a21 a30 a31",
    );
    assertEquals(source.acknowledged, [0, 1, 2, 3]);
  });

  Deno.test(`Proxy, ${name}: a chain of three ends by itself`, async () => {
    const app = new App();
    const source = new Recorder(counted(50));
    const proxies = [1, 2, 3].map(() => new Proxy<number>({ bound }));
    let seen = 0;
    app.handle(source, (n) => n, { sink: proxies[0]! });
    app.handle(proxies[0]!, function* (n) {
      yield n;
      yield n;
    }, { sink: proxies[1]! });
    // deno-lint-ignore require-await -- an async handler is the point
    app.handle(proxies[1]!, async (n) => n, { sink: proxies[2]! });
    app.handle(proxies[2]!, async () => {
      await Promise.resolve();
      seen++;
    });
    await app.stream();
    assertEquals(seen, 100);
    assertEquals(source.watermark, 50);
  });

  Deno.test(`Proxy, ${name}: a flow reads a source and a Proxy fed by that source`, async () => {
    const app = new App();
    const source = new Recorder(counted(20));
    const proxy = new Proxy<number>({ bound });
    let seen = 0, open = 0, most = 0;
    app.handle(source, function* (n) {
      yield n;
      yield n;
      yield n;
    }, { sink: proxy });
    app.handle(merge(source, proxy), async () => {
      most = Math.max(most, ++open);
      await Promise.resolve();
      open--;
      seen++;
    });
    await app.stream();
    assertEquals(seen, 80);
    assertEquals(most, 1);
    assertEquals(source.watermark, 20);
  });
}

Deno.test("Proxy holds at most bound values, and the writing flow waits", async () => {
  const app = new App();
  const proxy = new Proxy<number>({ bound: 3 });
  let most = 0;
  app.handle(counted(100), (n) => n, { sink: proxy });
  app.handle(proxy, async () => {
    most = Math.max(most, proxy.size);
    await Promise.resolve();
  });
  await app.stream();
  assertEquals(most <= 4, true); // three that are queued, and one that waits to be
});

Deno.test("Proxy of one flow to itself, below the bound, ends when it is idle", async () => {
  const app = new App();
  const source = new Recorder([5, 3]);
  const proxy = new Proxy<number>({ bound: 8 });
  const log: number[] = [];
  app.handle(source, (n) => n, { sink: proxy });
  app.handle(proxy, async (n) => {
    await settle();
    log.push(n);
    return n > 0 ? n - 1 : undefined;
  }, { sink: proxy });
  await app.stream();
  assertEquals(log, [5, 3, 4, 2, 3, 1, 2, 0, 1, 0]);
  assertEquals(source.acknowledged, [1, 0]);
});

Deno.test("Proxies of two flows in a circle, below the bound, end when they are idle", async () => {
  const app = new App();
  const [ping, pong] = [new Proxy<number>(), new Proxy<number>()];
  const log: string[] = [];
  app.handle([2], (n) => n, { sink: ping });
  app.handle(ping, (n) => {
    log.push(`ping${n}`);
    return n > 0 ? n - 1 : undefined;
  }, { sink: pong });
  app.handle(pong, async (n) => {
    await settle();
    log.push(`pong${n}`);
    return n;
  }, { sink: ping });
  await app.stream();
  assertEquals(log.join(" "), "ping2 pong1 ping1 pong0 ping0");
});

Deno.test("Proxy of a circle that another source still feeds stays open", async () => {
  const app = new App();
  const proxy = new Proxy<string>();
  const arrival = Promise.withResolvers<void>();
  async function* late() {
    await arrival.promise;
    yield "late";
  }
  const log: string[] = [];
  app.handle(merge(late(), proxy), (text) => {
    log.push(text);
    return text.endsWith("!") ? undefined : text + "!";
  }, { sink: proxy });
  app.handle(["early"], (text) => text, { sink: proxy });
  const streaming = app.stream();
  for (let turn = 0; turn < 5; turn++) await settle();
  assertEquals(log, ["early", "early!"]);
  arrival.resolve();
  await streaming;
  assertEquals(log, ["early", "early!", "late", "late!"]);
});

for (const bound of [1, 8]) {
  Deno.test(`Proxy of one flow to itself, above the bound of ${bound}, is reported`, async () => {
    const app = new App();
    const proxy = new Proxy<number>({ bound });
    app.handle([1, 2, 3], (n) => n, { sink: proxy });
    app.handle(proxy, function* (n) {
      yield n;
      yield n;
    }, { sink: proxy, name: "doubler" });
    const error = await assertRejects(() => app.stream());
    assertInstanceOf(error.cause, CycleError);
    assertEquals(error.message.includes('"doubler"'), true);
  });

  Deno.test(`Proxies of two flows in a circle, above the bound of ${bound}, are reported`, async () => {
    const app = new App();
    const [ping, pong] = [new Proxy<number>({ bound }), new Proxy<number>({ bound })];
    app.handle([1], (n) => n, { sink: ping });
    app.handle(ping, function* (n) {
      yield n;
      yield n;
    }, { sink: pong });
    app.handle(pong, async function* (n) {
      await Promise.resolve();
      yield n;
      yield n;
    }, { sink: ping });
    const error = await assertRejects(() => app.stream());
    assertInstanceOf(error.cause, CycleError);
  });
}

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
  app.handle(numbers, (some) => some, { pipe: batch(2), sink: batches });
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
