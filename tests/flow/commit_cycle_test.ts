import { assertEquals } from "@std/assert";
import { App } from "../../mod.ts";
import { openStores } from "../../src/flow/source/feed.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { Recorder } from "../_support/recorder.ts";
import { CommitCycle, type CommitScope } from "../../src/flow/run/commit_cycle.ts";
import type { Sinks } from "../../src/flow/stage/sinks.ts";
import { holdingAfter } from "../_support/holding_handler.ts";

Deno.test("the commit flushes sinks, then stores, then commits", async () => {
  const log: string[] = [];
  const store = {
    flush: async () => {
      await settle();
      log.push("store");
    },
  };
  openStores.add(store);
  try {
    const app = new App();
    const source = new Recorder([1]);
    source.onCommit = () => void log.push("commit");
    app.handle(source, (n) => n, {
      sink: {
        write: () => {},
        flush: async () => {
          await settle();
          log.push("sink");
        },
      },
    });
    await app.stream();
    assertEquals(log, ["sink", "store", "commit"]);
  } finally {
    openStores.delete(store);
  }
});

Deno.test("the commit runs on its interval while messages are acknowledged", async () => {
  const clock = new ManualClock();
  const app = new App({ clock, commit: { interval: 500 } });
  const source = new Recorder([1, 2, 3]);
  const { handler, release } = holdingAfter(2);
  app.handle(source, handler);
  const streaming = app.stream();
  await settle();
  assertEquals(source.committed, []);
  await clock.tick(499);
  assertEquals(source.committed, []);
  await clock.tick(1);
  assertEquals(source.committed, [2]);
  release();
  await streaming;
  assertEquals(source.committed, [2, 3]);
  assertEquals(clock.pending, 0);
});

Deno.test("the commit runs after so many messages", async () => {
  const clock = new ManualClock();
  const app = new App({ clock, commit: { messages: 2 } });
  const source = new Recorder([1, 2, 3, 4, 5]);
  const { handler, release } = holdingAfter(4);
  app.handle(source, handler);
  const streaming = app.stream();
  for (let turn = 0; turn < 5; turn++) await settle();
  assertEquals(source.committed.at(-1), 4);
  release();
  await streaming;
});

Deno.test("the commit commits the positions of before the flush, and never overlaps itself", async () => {
  const clock = new ManualClock();
  const app = new App({ clock, commit: { messages: 1 } });
  const source = new Recorder([1, 2, 3, 4]);
  const flushes: (() => void)[] = [];
  let open = 0, most = 0;
  app.handle(source, (n) => n, {
    sink: {
      write: () => {},
      flush: async () => {
        most = Math.max(most, ++open);
        await new Promise<void>((resolve) => flushes.push(resolve));
        open--;
      },
    },
  });
  const streaming = app.stream();
  await settle();
  assertEquals(source.ackedTo, 4);
  assertEquals(source.committed, []);
  flushes.shift()!();
  await settle();
  assertEquals(source.committed, [1]);
  while (source.committed.at(-1) !== 4) {
    flushes.shift()?.();
    await settle();
  }
  flushes.shift()?.();
  await streaming;
  assertEquals(most, 1);
});

Deno.test("commits never overlap, also when one is asked for just as another ends", async () => {
  let running = 0;
  let most = 0;
  const sinks = {
    flush: async () => {
      most = Math.max(most, ++running);
      await settle();
      running--;
    },
  } as unknown as Sinks;
  const host = {
    clock: new ManualClock(),
    signal: new AbortController().signal,
    status: undefined,
    fail: (error: unknown) => {
      throw error;
    },
  };
  const commit = new CommitCycle({ hubs: [], companions: [], groups: [], sinks }, host, {});
  const first = commit.run();
  const second = commit.run();
  await Promise.all([first.then(() => commit.run()), second]);
  assertEquals(most, 1);
});

Deno.test("with a checkpoint, a commit within a message of a flow with state notes and commits nothing", async () => {
  const log: string[] = [];
  const write = (what: string) => () => Promise.resolve(void log.push(what));
  const group = { whole: false, snapshot: () => ({ save: write("cut"), snapshots: new Map() }) };
  const scope = {
    hubs: [{ feed: { snapshot: () => write("positions") }, root: undefined }],
    companions: [{ snapshot: () => write("notes") }],
    groups: [group],
    sinks: { flush: write("sinks") },
  } as unknown as CommitScope;
  const host = {
    clock: new ManualClock(),
    signal: new AbortController().signal,
    status: undefined,
    fail: () => {},
  };
  const commit = new CommitCycle(scope, host, {});
  await commit.run();
  assertEquals(log.splice(0), ["sinks", "cut"]);
  group.whole = true;
  await commit.run();
  assertEquals(log, ["sinks", "cut", "notes", "positions"]);
  commit.close();
});

Deno.test("the commit runs by count and interval also where the source has no positions", async () => {
  const clock = new ManualClock();
  const app = new App({ clock, commit: { messages: 5, interval: 100 } });
  const { readable, writable } = new TransformStream<number, number>();
  const flushed: number[] = [];
  let buffered = 0;
  app.handle(readable, (n) => n, {
    sink: {
      write: () => void buffered++,
      flush: () => {
        flushed.push(buffered);
        buffered = 0;
      },
    },
  });
  const streaming = app.stream();
  const writer = writable.getWriter();
  for (let n = 1; n <= 7; n++) await writer.write(n);
  await settle();
  assertEquals(flushed, [5]);
  await clock.tick(100);
  assertEquals(flushed, [5, 2]);
  await clock.tick(1000);
  assertEquals(flushed, [5, 2]); // nothing new
  await writer.close();
  await streaming;
  assertEquals(clock.pending, 0);
});

Deno.test("the commit does not run by itself where there is nothing to flush or to commit", async () => {
  const clock = new ManualClock();
  const events: string[] = [];
  const app = new App({
    clock,
    commit: { messages: 1 },
    onStatus: ({ type }) => events.push(type),
  });
  app.handle([1, 2, 3], (n) => n, { sink: () => {} });
  await app.stream();
  assertEquals(events.filter((type) => type === "commit").length, 1); // the last one
});
