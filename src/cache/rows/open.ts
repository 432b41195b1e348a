import type { Clock } from "../../clock.ts";
import { assertReadable, FORMAT, STATE_KEY } from "../format.ts";
import type { CacheStore } from "../store.ts";
import { Calls } from "./calls.ts";
import { RowPieces } from "./row_pieces.ts";
import { Rows, type RowStoreParts } from "./rows.ts";
import { Writer } from "./writer.ts";

/** Where a shared store is. */
export interface RowsPlace {
  /** The path or the URL. */
  path: string;
  /** Whether it may be a server, with the lower limits of one. */
  remote: boolean;
  /** Whether the caller opened it, and closes it. */
  borrowed: boolean;
}

/** How a shared store is used. */
export interface RowsOptions {
  /** The time. */
  clock: Clock;
  /** How long a call may take, in milliseconds. */
  deadlineMs: number;
  /** The most that a transaction may write, in estimated bytes. */
  maxTransactionBytes?: number | undefined;
}

/** Keys that an atomic write may check: on a file, and on a self-hosted server. */
const LOCAL_CHECKS = 100;
const REMOTE_CHECKS = 10;

/** Opens a store that others use too. */
export async function openRows(
  openKv: () => Promise<Deno.Kv>,
  place: RowsPlace,
  { clock, deadlineMs, maxTransactionBytes = Infinity }: RowsOptions,
): Promise<CacheStore> {
  const words = place.borrowed ? place.path : JSON.stringify(place.path);
  const calls = new Calls(clock, deadlineMs, words);
  const kv = await calls.call(openKv);
  const release = () => place.borrowed || kv.close();
  try {
    await assertRows(kv, calls, place.path);
    const writer = new Writer(kv, calls);
    const pieces = new RowPieces(kv, calls, writer);
    await pieces.collectAbandoned();
    const maxChecks = place.remote ? REMOTE_CHECKS : LOCAL_CHECKS;
    const parts = { kv, calls, writer, pieces, maxChecks };
    return toCacheStore(parts, clock, maxTransactionBytes, release);
  } catch (error) {
    release();
    throw error;
  }
}

/** Throws unless the store has rows, or nothing, and says that it has rows. */
async function assertRows(kv: Deno.Kv, calls: Calls, path: string): Promise<void> {
  const row = await calls.call(() => kv.get<{ format: number; layout: string }>(STATE_KEY));
  assertReadable(row.value, "rows", path);
  if (row.value !== null) return;
  const state = { format: FORMAT, layout: "rows" };
  const result = await calls.call(() => kv.atomic().check(row).set(STATE_KEY, state).commit());
  if (!result.ok) await assertRows(kv, calls, path);
}

/** A store of rows as caches see it; `release` frees what was opened for it. */
function toCacheStore(
  parts: RowStoreParts,
  clock: Clock,
  maxTransactionBytes: number,
  release: () => void,
): CacheStore {
  const { writer } = parts;
  return {
    clock,
    maxTransactionBytes,
    windowed: false,
    // The flows of this process do not decide when others write.
    state: undefined,
    driven: false,
    dropped: false,
    space: (name) => new Rows(name, parts),
    assertMayClose() {},
    assertMayWait() {},
    flush: () => writer.idle(),
    async close() {
      try {
        await writer.close();
      } finally {
        release();
      }
    },
  };
}
