import { dirname } from "node:path";
import type { Clock } from "../../clock.ts";
import { type CacheDamage, CacheStorageError } from "../errors.ts";
import type { CacheStore } from "../store.ts";
import type { GroupCommitOptions } from "./group_commit.ts";
import { lockFile } from "./file_lock.ts";
import { Journal } from "./journal.ts";
import { emptyState, find, load } from "./load.ts";
import { ResidentStore, type StoreOptions } from "./store.ts";

/** How a store on disk is opened. */
export interface ResidentOptions extends GroupCommitOptions {
  /** The most that a transaction may write, in estimated bytes. */
  maxTransactionBytes?: number | undefined;
  /** What to do about damage. */
  damaged?: "refuse" | "salvage" | undefined;
}

const MAX_TRANSACTION_BYTES = 64_000_000;
/** How long a locked file is waited for. */
const RETRY_MS = 5_000;

/** Makes a store that nothing outlives. */
export function memoryStore(
  clock: Clock,
  maxTransactionBytes: number = MAX_TRANSACTION_BYTES,
): CacheStore {
  const options = { clock, flushIntervalMs: Infinity, maxTransactionBytes };
  return toCacheStore(new ResidentStore(options, emptyState()), options, () => {});
}

/**
 * Opens a store on disk, and makes this process its only holder.
 *
 * @param path The file; its folder is made if it is not there.
 * @param openKv Opens it, with errors that say what to do.
 */
export async function openResident(
  path: string,
  openKv: () => Promise<Deno.Kv>,
  options: ResidentOptions,
): Promise<CacheStore> {
  using opened = new DisposableStack();
  const { clock, flushIntervalMs, maxTransactionBytes = MAX_TRANSACTION_BYTES } = options;
  const held = path === ":memory:" ? undefined : opened.use(await lockFile(path, clock));
  const kv = opened.adopt(await openKv(), (kv) => kv.close());
  const loading = { path, fresh: held?.fresh ?? true, salvage: options.damaged === "salvage" };
  const found = await find(kv, loading);
  const { state: { sequence }, versionstamp, damage } = found;
  const journal = new Journal(kv, clock, { path, versionstamp, sequence, retryMs: RETRY_MS });
  const storeOptions = { clock, flushIntervalMs, maxTransactionBytes, path };
  const state = { ...found.state, owner: crypto.randomUUID() };
  const store = new ResidentStore(storeOptions, state, journal);
  await load(kv, store, found, loading);
  try {
    if (damage.found) await saveSalvaged(store, journal, found.left);
    else await store.claim(found.left);
    await held?.settle();
  } catch (error) {
    await store.close().catch(() => {}); // the first error says more
    throw error;
  }
  const kept = opened.move();
  const release = () => kept.dispose();
  return toCacheStore(store, storeOptions, release, damage.found ? damage : undefined);
}

/**
 * Deletes what was left out, then brings to disk, in one group, that it is. After a crash in between the file is as
 * damaged as it was; the other way round what was left out would look like a part of the content.
 */
async function saveSalvaged(
  store: ResidentStore,
  journal: Journal,
  left: readonly Deno.KvKey[],
): Promise<void> {
  await journal.delete(left);
  await store.flush();
}

/** Makes the folder of a file, and refuses a folder in place of the file. */
export async function prepareFolder(path: string): Promise<void> {
  const what = `Cannot open cache ${JSON.stringify(path)}`;
  await Deno.mkdir(dirname(path), { recursive: true });
  const info = await Deno.stat(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
  if (info?.isDirectory) {
    const cause = "it is a folder: give the path of a file, which is made if it is not there";
    throw new CacheStorageError(what, cause, false);
  }
}

/** A resident store as caches see it; `release` frees what was opened for it. */
function toCacheStore(
  store: ResidentStore,
  { clock, maxTransactionBytes }: StoreOptions,
  release: () => void,
  damage?: CacheDamage,
): CacheStore {
  const { exactState } = store;
  return {
    name: store.name,
    clock,
    maxTransactionBytes,
    damage,
    evicts: true,
    state: exactState,
    get driven() {
      return exactState.driver !== undefined || exactState.dropped;
    },
    get dropped() {
      return exactState.dropped;
    },
    get evictions() {
      return store.evictions;
    },
    look: () => store.look(),
    space(name, limits) {
      store.assertRoomFor(name);
      const table = store.table(name);
      table.limit(limits);
      return table;
    },
    assertMayClose() {
      if (exactState.driver === undefined) return;
      throw new TypeError(
        "Cannot close a cache while flows keep their state in it: await app.close() and stream() first",
      );
    },
    assertMayWait: (what) => exactState.assertMayWait(what),
    flush: () => store.flush(),
    async close() {
      try {
        await store.close();
      } finally {
        release();
      }
    },
  };
}
