import { assertEquals, assertLess, assertRejects } from "@std/assert";
import { CacheStorageError } from "../../../mod.ts";
import { GroupCommit } from "../../../src/cache/resident/group_commit.ts";
import type { Batch } from "../../../src/cache/resident/journal.ts";
import { emptyState } from "../../../src/cache/resident/load.ts";
import { ManualClock, settle } from "../../../src/testing/mod.ts";

Deno.test("GroupCommit.save() that fails, and that nobody waits for, is not an unhandled rejection", async () => {
  const sent: PromiseWithResolvers<void>[] = [];
  const journal = {
    send: () => {
      const call = Promise.withResolvers<void>();
      sent.push(call);
      return call.promise;
    },
  };
  const batch: Batch = { rows: [], removed: [], state: emptyState(), garbage: [] };
  const content = { due: false, dropped: false, cut: () => {} };
  const clock = new ManualClock(0);
  const commits = new GroupCommit(content, journal, { clock, flushIntervalMs: 100 });
  const error = new CacheStorageError("Cannot write", "disk full", true);
  commits.add(batch);
  const first = assertRejects(() => commits.save(), CacheStorageError);
  // A sweep does so, while the buffer is full.
  void commits.save();
  sent[0]!.reject(error);
  await first;
  await settle();
  sent[1]!.reject(error);
  await settle();
  assertEquals(commits.failure, error);
  const closed = commits.close();
  sent[2]!.resolve();
  await closed;
  assertEquals([commits.failure, clock.pending], [undefined, 0]);
});

Deno.test("GroupCommit.save() waits for what was written before it, though others write and save on and on", async () => {
  const journal = { send: () => settle() };
  let written = 0;
  const sent: number[] = [];
  const content = {
    due: true,
    dropped: false,
    cut: () => {
      sent.push(written);
      commits.add({ rows: [], removed: [], state: emptyState(), garbage: [] });
    },
  };
  const clock = new ManualClock(0);
  const commits = new GroupCommit(content, journal, { clock, flushIntervalMs: 100 });
  let saved = false;
  const writing = (async () => {
    while (!saved && sent.length < 100) {
      written++;
      await (commits.job ?? commits.save());
    }
  })();
  const before = ++written;
  await commits.save();
  saved = true;
  assertLess(sent.length, 5);
  assertLess(before, sent[1]! + 1);
  await writing;
  content.due = false;
  await commits.close();
});
