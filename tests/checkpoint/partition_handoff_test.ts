import { assertEquals } from "@std/assert";
import { MemoryCache } from "../../mod.ts";
import type { PartitionStore } from "../../src/checkpoint/checkpoint_options.ts";
import { PartitionHandoff, type PartitionRow } from "../../src/checkpoint/partition_handoff.ts";
import type { HandoffRecord } from "../../src/checkpoint/record.ts";
import { HoldingStore } from "../_support/holding_store.ts";

/** A process that reads partition 0, and what it knows of it. */
class Reader {
  record: HandoffRecord | undefined;
  /** What it took over. */
  readonly restored: HandoffRecord[] = [];
  readonly handoff: PartitionHandoff;

  constructor(store: PartitionStore) {
    this.handoff = new PartitionHandoff(store, "key_", {
      record: () => this.record,
      restore: (record) => void this.restored.push(this.record = record),
      forget: () => this.record = undefined,
    });
  }

  /** What its commit does. */
  async keep(cursor: number, provisional: HandoffRecord["provisional"] = []): Promise<void> {
    const latest = provisional.at(-1)?.time ?? -Infinity;
    const at = { cursor, applied: cursor, epoch: 0 };
    this.record = { partition: 0, ...at, provisional, stale: undefined, latest };
    await this.handoff.snapshot()?.();
  }
}

async function entriesOf(store: MemoryCache): Promise<PartitionRow["entries"]> {
  return (await store.get("key_0") as PartitionRow).entries;
}

const [FIRST, SECOND] = [{ position: 3, time: 30 }, { position: 4, time: 40 }];

Deno.test("PartitionHandoff takes its own row as it is, and all that is provisional in another's for stale", async () => {
  await using store = new MemoryCache();
  const [one, again, other] = [new Reader(store), new Reader(store), new Reader(store)];
  await one.handoff.assign([0]);
  await one.keep(5, [FIRST, SECOND]);
  again.handoff.owner = one.handoff.owner;
  await again.handoff.assign([0]);
  assertEquals(again.restored, [one.record!]);
  await other.handoff.assign([0]);
  assertEquals(other.restored, [{ ...one.record!, provisional: [], stale: 3 }]);
});

Deno.test("PartitionHandoff tells a process that somebody else was there, even if that one kept nothing", async () => {
  await using store = new MemoryCache();
  const [one, other] = [new Reader(store), new Reader(store)];
  await one.handoff.assign([0]);
  await one.keep(5, [FIRST]);
  await other.handoff.assign([0]);
  await one.handoff.assign([0]);
  assertEquals(one.restored.map(({ stale }) => stale), [3]);
});

Deno.test("PartitionHandoff removes the entries that it has taken over, once what they said is kept", async () => {
  await using store = new MemoryCache();
  const [one, other] = [new Reader(store), new Reader(store)];
  await one.handoff.assign([0]);
  await one.keep(5, [FIRST]);
  await other.handoff.assign([0]);
  assertEquals(Object.keys(await entriesOf(store)).length, 2);
  await other.keep(6);
  assertEquals(Object.keys(await entriesOf(store)), [other.handoff.owner]);
  await one.keep(7); // it does not know yet that it has lost the partition
  const entries = await entriesOf(store);
  assertEquals(entries[other.handoff.owner]!.record!.cursor, 6);
  const third = new Reader(store);
  await third.handoff.assign([0]);
  assertEquals(third.restored.map(({ cursor, applied }) => [cursor, applied]), [[6, 7]]);
});

Deno.test("PartitionHandoff drops what it claims too late, and nobody loses anything by it", async () => {
  await using store = new MemoryCache();
  const slow = new HoldingStore(store);
  const [late, owner] = [new Reader(slow), new Reader(store)];
  slow.hold();
  const claiming = late.handoff.assign([0]);
  await late.handoff.assign([]); // and by then it is somebody else's
  await owner.handoff.assign([0]);
  await owner.keep(5, [FIRST]);
  slow.release();
  await claiming;
  assertEquals(late.restored, []);
  assertEquals((await entriesOf(store))[owner.handoff.owner]!.record, owner.record);
  await owner.keep(6, [FIRST]);
  assertEquals((await entriesOf(store))[owner.handoff.owner]!.record!.cursor, 6);
});

Deno.test("PartitionHandoff leaves one entry for all processes that came and wrote nothing", async () => {
  await using store = new MemoryCache();
  const one = new Reader(store);
  await one.handoff.assign([0]);
  await one.keep(5, [FIRST]);
  for (let crashes = 0; crashes < 10; crashes++) await new Reader(store).handoff.assign([0]);
  assertEquals(Object.keys(await entriesOf(store)).length, 2);
  await one.handoff.assign([0]);
  assertEquals(one.restored.map(({ stale }) => stale), [3]);
});
