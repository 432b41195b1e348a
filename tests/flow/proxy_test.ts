import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { App, CycleError, merge, Proxy } from "../../mod.ts";
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
    assertEquals(source.ackedTo, 50);
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
    assertEquals(source.ackedTo, 20);
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
