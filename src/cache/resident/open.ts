import { dirname } from "node:path";
import type { Clock } from "../../clock.ts";
import { CacheStorageError } from "../errors.ts";
import type { Space } from "../space.ts";
import type { StateStore } from "../../flow/state.ts";
import type { CacheStore, SpaceLimits } from "../store.ts";
import { hold } from "./holder.ts";
import { Journal } from "./journal.ts";
import { claim, emptyState, load } from "./load.ts";
import { ResidentStore } from "./store.ts";

/** How a store on disk is opened. */
export interface ResidentOptions {
  /** The time. */
  clock: Clock;
  /** How long a write may wait for company, in milliseconds. */
  flushIntervalMs: number;
  /** The most that a transaction may write, in estimated bytes. */
  maxTransactionBytes?: number | undefined;
}

const MAX_TRANSACTION_BYTES = 64_000_000;
/** How long a locked file is waited for. */
const RETRY_MS = 5_000;

/** The store of caches whose content is in memory, and on disk where there is one. */
class ResidentCacheStore implements CacheStore {
  readonly windowed = true;
  readonly clock: Clock;
  readonly maxTransactionBytes: number;
  readonly #store: ResidentStore;
  readonly #release: () => void;

  constructor(
    store: ResidentStore,
    clock: Clock,
    maxTransactionBytes: number,
    release: () => void = () => {},
  ) {
    this.#store = store;
    this.clock = clock;
    this.maxTransactionBytes = maxTransactionBytes;
    this.#release = release;
  }

  space(name: string, limits: SpaceLimits): Space {
    this.#store.assertRoomFor(name);
    const table = this.#store.table(name);
    table.limit(limits);
    return table;
  }

  get state(): StateStore {
    return this.#store.driving;
  }

  get evictions(): number {
    return this.#store.evictions;
  }

  get driven(): boolean {
    const { driver, dropped } = this.#store.driving;
    return driver !== undefined || dropped;
  }

  assertMayClose(): void {
    if (this.#store.driving.driver === undefined) return;
    throw new TypeError(
      "Cannot close a cache while flows keep their state in it: stop the app first",
    );
  }

  assertMayWait(what: string): void {
    this.#store.driving.assertMayWait(what);
  }

  flush(): Promise<void> {
    return this.#store.flush();
  }

  async close(): Promise<void> {
    try {
      await this.#store.close();
    } finally {
      this.#release();
    }
  }
}

/** Makes a store that nothing outlives. */
export function memoryStore(
  clock: Clock,
  maxTransactionBytes: number = MAX_TRANSACTION_BYTES,
): CacheStore {
  const options = { clock, flushIntervalMs: Infinity, maxTransactionBytes };
  const store = new ResidentStore(options, emptyState());
  return new ResidentCacheStore(store, clock, maxTransactionBytes);
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
  if (path !== ":memory:") opened.use(await hold(path, clock));
  const kv = opened.adopt(await openKv(), (kv) => kv.close());
  const claimed = await claim(kv, path);
  const { state, versionstamp } = claimed;
  const journal = new Journal(kv, clock, {
    path,
    versionstamp,
    sequence: state.sequence,
    retryMs: RETRY_MS,
  });
  const store = new ResidentStore(
    { clock, flushIntervalMs, maxTransactionBytes, path },
    { ...state },
    journal,
  );
  await load(kv, store, claimed, path);
  const kept = opened.move();
  return new ResidentCacheStore(store, clock, maxTransactionBytes, () => kept.dispose());
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
