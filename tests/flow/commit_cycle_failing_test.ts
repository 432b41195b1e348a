import { assertEquals, assertRejects } from "@std/assert";
import { App, CommitError, DrainError, type StatusEvent } from "../../mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { Recorder } from "../_support/recorder.ts";
import { holdingAfter } from "../_support/holding_handler.ts";

Deno.test("a commit that fails commits nothing and is tried again", async () => {
  const clock = new ManualClock();
  const events: StatusEvent[] = [];
  const app = new App({ clock, onStatus: (event) => events.push(event) });
  const source = new Recorder([1]);
  let failures = 2;
  app.handle(source, (n) => n, {
    sink: {
      write: () => {},
      flush: () => {
        if (failures-- > 0) throw new Error("not now");
      },
    },
  });
  const streaming = app.stream();
  await settle();
  assertEquals(source.committed, []);
  await clock.tick(100);
  assertEquals(source.committed, []);
  await clock.tick(100);
  await streaming;
  assertEquals(source.committed, [1]);
  assertEquals(events.filter(({ type }) => type === "commit_failed").length, 2);
});

Deno.test("a commit that fails for flushTimeout stops the app, whatever the policy", async () => {
  const clock = new ManualClock();
  const app = new App({
    clock,
    onError: "skip",
    commit: { flushTimeout: 1000, interval: 10 },
  });
  const source = new Recorder([1, 2]);
  const { handler, release } = holdingAfter(1);
  app.handle(source, handler);
  source.onCommit = () => {
    throw new Error("disk full");
  };
  const streaming = app.stream();
  streaming.catch(() => {});
  await settle();
  await clock.tick(1100);
  release();
  await clock.tick(2000);
  const error = await assertRejects(() => streaming, CommitError, "disk full");
  assertEquals(source.committed, []);
  assertEquals(error.others.length, 1); // the last commit, at the end
});

Deno.test("the commit does not commit when the run is ended at once during its flush", async () => {
  const clock = new ManualClock();
  const app = new App({ clock, commit: { messages: 1 } });
  const source = new Recorder([1, 2]);
  const stop = new AbortController();
  const flushed = Promise.withResolvers<void>();
  const stuck = new Promise<void>(() => {});
  app.handle(source, (n) => n === 2 ? stuck : n, {
    sink: { write: () => {}, flush: () => flushed.promise },
  });
  const streaming = assertRejects(
    () => app.stream({ signal: stop.signal, drainTimeout: 10 }),
    DrainError,
  );
  await settle();
  stop.abort();
  await clock.tick(10);
  await streaming;
  assertEquals(clock.pending, 0); // nobody waits for the flush any more
  flushed.resolve();
  await settle();
  assertEquals(source.acknowledged, [0]);
  assertEquals(source.committed, []);
});

Deno.test("a commit tried again calls no flush() beside an earlier call of it", async () => {
  const clock = new ManualClock();
  const app = new App({ clock });
  const source = new Recorder([1, 2]);
  const slow = Promise.withResolvers<void>();
  let running = 0, most = 0, failures = 1;
  app.handle(source, (n) => n, {
    sink: [{
      write: () => {},
      flush: async () => {
        most = Math.max(most, ++running);
        await slow.promise;
        running--;
      },
    }, {
      write: () => {},
      flush: () => {
        if (failures-- > 0) throw new Error("locked");
      },
    }],
  });
  const streaming = app.stream();
  await clock.tick(1000);
  assertEquals([running, source.committed], [1, []]);
  slow.resolve();
  await clock.tick(100);
  await streaming;
  assertEquals([most, failures, source.committed], [1, -1, [2]]);
});

Deno.test("a flush() that does not settle within flushTimeout stops the app, and is not called again", async () => {
  const clock = new ManualClock();
  const app = new App({ clock, commit: { messages: 1, flushTimeout: 1000 } });
  const source = new Recorder([1], { open: true });
  const calls = { file: 0, other: 0, close: 0 };
  class File {
    write() {}
    flush() {
      calls.file++;
      return new Promise<void>(() => {});
    }
    close() {
      calls.close++;
    }
  }
  app.handle(source, (n) => n, {
    name: "copy",
    sink: [{ write: () => {}, flush: () => void calls.other++ }, new File()],
  });
  const streaming = app.stream();
  streaming.catch(() => {});
  await settle();
  await clock.tick(999);
  assertEquals(calls, { file: 1, other: 1, close: 0 });
  await clock.tick(1);
  const error = await assertRejects(
    () => streaming,
    CommitError,
    'flush() of sink 2 (File) of flow "copy" has not settled after 1000 ms',
  );
  assertEquals([error.others, source.committed], [[], []]);
  assertEquals(calls, { file: 1, other: 1, close: 1 });
  assertEquals(clock.pending, 0);
});
