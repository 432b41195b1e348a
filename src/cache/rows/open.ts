import type { Clock } from "../../clock.ts";
import { type CacheDamage, CacheDamagedError } from "../errors.ts";
import { fromStateRow, ROOT, STATE_KEY, toStateRow } from "../format.ts";
import { NotAsWrittenError } from "../sealed.ts";
import type { CacheStore } from "../store.ts";
import { Calls } from "./calls.ts";
import { RowPieces } from "./row_pieces.ts";
import { Rows, type RowStoreParts } from "./rows.ts";
import { AtomicWriter } from "./atomic_writer.ts";

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
  /** What to do about damage of the row that describes the store. */
  damaged: "refuse" | "salvage";
}

/** Keys that an atomic write may check: on a file, and on a self-hosted server. */
const LOCAL_CHECKS = 100;
const REMOTE_CHECKS = 10;

/** Opens a store that others use too. */
export async function openRows(
  openKv: () => Promise<Deno.Kv>,
  place: RowsPlace,
  { clock, deadlineMs, maxTransactionBytes = Infinity, damaged }: RowsOptions,
): Promise<CacheStore> {
  const words = place.borrowed ? place.path : JSON.stringify(place.path);
  const calls = new Calls(clock, deadlineMs, words);
  const kv = await calls.call(openKv);
  const release = () => place.borrowed || kv.close();
  try {
    const damage = await assertRows(kv, calls, place.path, damaged === "salvage");
    const writer = new AtomicWriter(kv, calls);
    const pieces = new RowPieces(kv, calls, writer);
    await pieces.collectAbandoned();
    const maxChecks = place.remote ? REMOTE_CHECKS : LOCAL_CHECKS;
    const parts = { kv, calls, writer, pieces, maxChecks };
    const name = `shared cache ${words}`;
    return { name, ...toCacheStore(parts, clock, maxTransactionBytes, release, damage) };
  } catch (error) {
    release();
    throw error;
  }
}

/**
 * Throws unless the store has rows, or nothing, and says that it has rows. Returns what was wrong with what it
 * said, where that was put right.
 */
async function assertRows(
  kv: Deno.Kv,
  calls: Calls,
  path: string,
  salvage: boolean,
): Promise<CacheDamage | undefined> {
  let row = await calls.call(() => kv.get(STATE_KEY));
  const lost = row.versionstamp === null && !await isEmpty(kv, calls);
  // It comes before all others: whoever has opened the store meanwhile may have made it.
  if (lost) row = await calls.call(() => kv.get(STATE_KEY));
  const detail = whatIsWrong(row, lost, path);
  if (detail === undefined && row.versionstamp !== null) return undefined;
  const damage = detail === undefined
    ? undefined
    : { pages: 0, entries: Infinity, details: [`the row that describes it: ${detail}`] };
  if (damage !== undefined && !salvage) {
    const advice = 'open it with { damaged: "salvage" }, which keeps the rest';
    throw new CacheDamagedError(`Cannot open cache ${JSON.stringify(path)}`, damage, advice);
  }
  const state = toStateRow("rows", null);
  const result = await calls.call(() => kv.atomic().check(row).set(STATE_KEY, state).commit());
  return result.ok ? damage : await assertRows(kv, calls, path, salvage);
}

async function isEmpty(kv: Deno.Kv, calls: Calls): Promise<boolean> {
  const rows = kv.list({ prefix: [ROOT] }, { limit: 1 });
  return (await calls.call(() => Array.fromAsync(rows))).length === 0;
}

function whatIsWrong(
  { value, versionstamp }: Deno.KvEntryMaybe<unknown>,
  lost: boolean,
  path: string,
): string | undefined {
  if (versionstamp === null) return lost ? "is missing" : undefined;
  try {
    fromStateRow(value, "rows", path);
    return undefined;
  } catch (error) {
    if (error instanceof NotAsWrittenError) return error.message;
    throw error;
  }
}

/** A store of rows as caches see it; `release` frees what was opened for it. */
function toCacheStore(
  parts: RowStoreParts,
  clock: Clock,
  maxTransactionBytes: number,
  release: () => void,
  damage: CacheDamage | undefined,
): Omit<CacheStore, "name"> {
  const { writer } = parts;
  return {
    clock,
    maxTransactionBytes,
    damage,
    evicts: false,
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
