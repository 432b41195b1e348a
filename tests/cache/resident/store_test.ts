import { assertEquals } from "@std/assert";
import { emptyState } from "../../../src/cache/resident/load.ts";
import { ResidentStore } from "../../../src/cache/resident/store.ts";
import { ManualClock } from "../../../src/testing/mod.ts";

Deno.test("ResidentStore sets no timer to sweep after close()", async () => {
  const clock = new ManualClock(0);
  const options = { clock, flushIntervalMs: Infinity, maxTransactionBytes: 1_000 };
  const store = new ResidentStore(options, emptyState());
  await store.close();
  store.table("").put({ key: "a", put: { value: 1, cloned: false, size: 8, expires: 60_000 } });
  assertEquals(clock.pending, 0);
});
