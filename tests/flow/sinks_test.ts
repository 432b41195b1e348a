import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { App, type HandlerError, Proxy, type Sink, SinkError } from "../../mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { Recorder } from "../_support/recorder.ts";

Deno.test("a function as sink gets each value as its only argument", async () => {
  const calls: unknown[][] = [];
  const log = (...args: unknown[]) => void calls.push(args);
  const app = new App();
  app.handle(["a", "b"], (letter) => letter, { sink: log });
  await app.stream();
  assertEquals(calls, [["a"], ["b"]]);
});

Deno.test("console.log itself is a sink", async () => {
  const script = `
    import { App } from ${JSON.stringify(import.meta.resolve("../../mod.ts"))};
    const app = new App();
    app.handle(["%s", "a"], (text) => text, { sink: console.log });
    await app.stream();
  `;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", script],
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(new TextDecoder().decode(stdout), "%s\na\n");
});

Deno.test("what a function as sink returns is not a value", async () => {
  const lengths: number[] = [];
  const app = new App();
  app.handle([1, 2], (n) => n, { sink: (n) => lengths.push(n) });
  await app.stream();
  assertEquals(lengths, [1, 2]);
});

Deno.test("an async sink is awaited before the next value", async () => {
  let active = 0;
  const app = new App();
  app.handle([1], function* () {
    yield 1;
    yield 2;
    yield 3;
  }, {
    sink: async () => {
      assertEquals(++active, 1);
      await settle();
      active--;
    },
  });
  await app.stream();
});

Deno.test("several sinks get each value in their order, one after the other", async () => {
  const events: string[] = [];
  const slow = async (n: number) => {
    await settle();
    events.push(`slow ${n}`);
  };
  const quick = (n: number) => void events.push(`quick ${n}`);
  const app = new App();
  app.handle([1, 2], (n) => n, { sink: [quick, slow, quick, { write: slow }, quick] });
  await app.stream();
  assertEquals(
    events,
    [1, 2].flatMap((n) => [
      `quick ${n}`,
      `slow ${n}`,
      `quick ${n}`,
      `slow ${n}`,
      `quick ${n}`,
    ]),
  );
});

Deno.test("a flow without sinks, or with an empty list, handles its messages", async () => {
  const seen: number[] = [];
  const app = new App();
  app.handle([1, 2], (n) => seen.push(n));
  app.handle([3], (n) => seen.push(n), { sink: [] });
  await app.stream();
  assertEquals(seen.toSorted(), [1, 2, 3]);
});

Deno.test("an object with write() is written to, flushed by the commit, and closed once", async () => {
  const events: string[] = [];
  const file = {
    name: "file",
    write(n: number) {
      events.push(`${this.name} write ${n}`);
    },
    async flush() {
      await settle();
      events.push(`${this.name} flush`);
    },
    async close() {
      await settle();
      events.push(`${this.name} close`);
    },
  };
  const app = new App();
  app.handle([1], (n) => n, { sink: file });
  app.handle([2], (n) => n, { sink: file });
  await app.stream();
  assertEquals(events, ["file write 1", "file write 2", "file flush", "file close"]);
});

Deno.test("an object with write() is opened again by the next stream()", async () => {
  const events: unknown[] = [];
  const app = new App();
  app.handle([1], (n) => n, {
    sink: { write: (n) => events.push(n), close: () => void events.push("close") },
  });
  await app.stream();
  await app.stream();
  assertEquals(events, [1, "close", 1, "close"]);
});

Deno.test("write() of an object may be async and reject", async () => {
  const cause = new Error("offline");
  const app = new App();
  app.handle([1], (n) => n, { sink: { write: () => Promise.reject(cause) } });
  const error = await assertRejects(() => app.stream(), SinkError, "sink 1");
  assertStrictEquals(error.cause, cause);
});

Deno.test("every sink is closed when one cannot be, and the error is thrown", async () => {
  const cause = new Error("cannot close");
  const closed: string[] = [];
  const app = new App();
  app.handle([1], (n) => n, {
    sink: [{ write: () => {}, close: () => Promise.reject(cause) }, {
      write: () => {},
      close: () => void closed.push("second"),
    }],
  });
  assertStrictEquals(await assertRejects(() => app.stream()), cause);
  assertEquals(closed, ["second"]);
});

Deno.test("a Proxy as sink passes values on to the flows that read it", async () => {
  const seen: number[] = [];
  const sunk: number[] = [];
  const proxy = new Proxy<number>();
  const app = new App();
  app.handle([1, 2], (n) => n * 10, { sink: [proxy, (n) => sunk.push(n)] });
  app.handle(proxy, (n) => void seen.push(n));
  await app.stream();
  assertEquals([seen, sunk], [[10, 20], [10, 20]]);
});

Deno.test("an error of the second of three sinks names it, and the third gets nothing", async () => {
  for (const fails of ["now", "later"]) {
    const cause = new Error("no room");
    const third: number[] = [];
    const app = new App();
    const write: Sink<number> = function disk() {
      if (fails === "now") throw cause;
      return Promise.reject(cause);
    };
    app.handle([7], (n) => n, { sink: [() => settle(), write, (n) => third.push(n)], name: "f" });
    const error = await assertRejects(() => app.stream(), SinkError);
    assertEquals(error.message, 'Cannot write to sink 2 (disk) in flow "f": no room');
    assertEquals([error.flow, error.output, error.sink, third], ["f", 7, "sink 2 (disk)", []]);
  }
});

Deno.test("sinks that an onError function makes for each dead letter are forgotten when flushed", async () => {
  const clock = new ManualClock();
  const flushed: number[] = [];
  let closed = 0;
  const kept = { write: () => {}, close: () => void closed++ };
  const app = new App({ clock, commit: { interval: 10 } });
  const source = new Recorder([1, 2, 3], { open: true });
  app.handle(source, () => {
    throw new Error("poison");
  }, {
    onError: (error) => ({
      deadLetter: (error as HandlerError).input === 3 ? kept : {
        write: () => {},
        flush: () => void flushed.push((error as HandlerError).input as number),
      },
    }),
  });
  const streaming = app.stream();
  await settle();
  await clock.tick(10);
  assertEquals(flushed, [1, 2]);
  source.push(4);
  await settle();
  await clock.tick(10);
  assertEquals(flushed, [1, 2, 4]);
  assertEquals(closed, 0);
  source.end();
  await streaming;
  assertEquals([flushed, closed], [[1, 2, 4], 1]);
});

Deno.test("a dead letter whose write outlasts a flush is flushed again after it", async () => {
  const clock = new ManualClock();
  const written = Promise.withResolvers<void>();
  let flushes = 0;
  const slow = { write: () => written.promise, flush: () => void flushes++ };
  const app = new App({ clock, commit: { interval: 10 } });
  const other = new Recorder([1], { open: true });
  app.handle(["poison"], () => {
    throw new Error("poison");
  }, { onError: () => ({ deadLetter: slow }) });
  app.handle(other, () => {});
  const streaming = app.stream();
  await settle();
  await clock.tick(10);
  assertEquals(flushes, 1);
  written.resolve();
  other.end();
  await streaming;
  assertEquals(flushes, 2);
});
