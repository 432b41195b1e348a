import { assert } from "@std/assert";
import { RootMessage } from "../../src/flow/state/root_message.ts";
import type { StateStore } from "../../src/flow/state/state.ts";
import { StateGroup } from "../../src/flow/state/state_group.ts";

/** A group whose commits do `meanwhile` between the cut and the disk, and tells how many cuts are on disk. */
function world(meanwhile: (commit: number) => void) {
  let cuts = 0;
  let commits = 0;
  const disk = { cuts: 0 };
  const store = {
    drive: () => {},
    cut: () => {
      const number = ++cuts;
      return () => Promise.resolve(void (disk.cuts = Math.max(disk.cuts, number)));
    },
  } as unknown as StateStore;
  const group: StateGroup = new StateGroup(store, {
    async commit() {
      const cut = group.snapshot();
      await Promise.resolve();
      meanwhile(++commits);
      await cut?.save();
    },
    commitSoon: () => {},
    fail: (error) => {
      throw error;
    },
  });
  group.stalls = false;
  const message = new RootMessage(
    { drives: () => true, finished: () => group.leave(), abandoned: () => {} },
    0,
    1,
  );
  group.enter(message);
  return { group, message, disk };
}

Deno.test("flush() of exact state ends when the message that it waits for leaves during its commit", async () => {
  const { group, message, disk } = world((commit) => commit === 1 && message.leave());
  await group.flush();
  assert(message.cut);
  assert(disk.cuts > 1); // the first was taken without the message
});

Deno.test("flush() of exact state resolves once a cut that a message takes as it leaves is on disk", async () => {
  const { group, message, disk } = world((commit) => commit === 1 && message.leave());
  message.required = true; // no cut without it
  await group.flush();
  assert(message.cut);
  assert(disk.cuts > 0);
});
