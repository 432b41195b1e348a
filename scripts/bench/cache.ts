/**
 * The Cache beside the reference's, which is RocksDB by rocksdict; `peer/cache.py` has the same work in
 * Python. The entries are small objects; making and removing files is not measured.
 */
import { App, Cache, type CacheOptions } from "@slipstream/slipstream";
import type { Benchmark, MemoryRun } from "./benchmark.ts";
import { collectGarbage } from "./heap.ts";

interface Small {
  id: number;
  name: string;
  ok: boolean;
}

const COUNT = 100_000;
const FLOW_COUNT = 1_000_000;
const ROWS_PER_WRITE = 500;
const OPTIONS: CacheOptions<Small> = { maxBytes: Infinity };

function small(id: number): Small {
  return { id, name: `entry ${id}`, ok: id % 2 === 0 };
}

/** The sum of the ids from 0 to below `count`. */
function sumOfIds(count: number): number {
  return count * (count - 1) / 2;
}

function assertTotal(actual: number, expected: number): void {
  if (actual !== expected) throw new Error(`The cache gave ${actual}, not ${expected}`);
}

/** Runs `work` on a path of its own and returns what it returns. */
async function onPath<T>(work: (path: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir();
  try {
    return await work(`${folder}/db`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function fill(cache: Cache<Small>, count: number): Promise<void> {
  for (let id = 0; id < count; id++) await cache.set(id, small(id));
  await cache.flush();
}

/** Returns the milliseconds of `work` alone, without what its preparation left to be collected. */
async function time(work: () => Promise<void>): Promise<number> {
  collectGarbage();
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** Times `work` on a cache of its own. */
function onCache(work: (cache: Cache<Small>, count: number) => Promise<void>) {
  return (count: number): Promise<number> =>
    onPath(async (path) => {
      await using cache = await Cache.open<Small>(path, OPTIONS);
      return await time(() => work(cache, count));
    });
}

/** Times `work` on a cache that has `count` entries, on disk too. */
function onEntries(work: (cache: Cache<Small>, count: number) => Promise<void>) {
  return (count: number): Promise<number> =>
    onPath(async (path) => {
      await using cache = await Cache.open<Small>(path, OPTIONS);
      await fill(cache, count);
      return await time(() => work(cache, count));
    });
}

const put: Benchmark = {
  name: "cache/put",
  count: COUNT,
  peerCount: COUNT,
  goals: { peer: 1.4 },
  ours: onCache(fill),
};

const get: Benchmark = {
  name: "cache/get",
  count: COUNT,
  peerCount: COUNT,
  goals: { peer: 4 },
  ours: onEntries(async (cache, count) => {
    let sum = 0;
    for (let id = 0; id < count; id++) sum += (await cache.get(id))!.id;
    assertTotal(sum, sumOfIds(count));
  }),
};

const asof: Benchmark = {
  name: "cache/asof",
  count: COUNT,
  peerCount: COUNT,
  goals: { peer: 8 },
  ours: onEntries(async (cache, count) => {
    let sum = 0;
    for (let id = 0; id < count; id++) {
      const nearest = cache.values({ from: id + 0.5, reverse: true, limit: 1 });
      for await (const found of nearest) sum += found.id;
    }
    assertTotal(sum, sumOfIds(count));
  }),
};

const scan: Benchmark = {
  name: "cache/scan",
  count: COUNT,
  peerCount: COUNT,
  goals: { peer: 2.5 },
  ours: onEntries(async (cache, count) => {
    let sum = 0;
    for await (const [, value] of cache.entries()) sum += value.id;
    assertTotal(sum, sumOfIds(count));
  }),
};

/** Beside reading and writing by two calls. */
const update: Benchmark = {
  name: "cache/update",
  count: COUNT,
  goals: { floor: 0.8 },
  ours: onEntries(async (cache, count) => {
    for (let n = 0; n < count; n++) {
      await cache.update(0, (small) => ({ ...small!, id: small!.id + 1 }));
    }
    assertTotal((await cache.get(0))!.id, count);
  }),
  floor: onEntries(async (cache, count) => {
    for (let n = 0; n < count; n++) {
      const small = (await cache.get(0))!;
      await cache.set(0, { ...small, id: small.id + 1 });
    }
    assertTotal((await cache.get(0))!.id, count);
  }),
};

const transaction: Benchmark = {
  name: "cache/transaction",
  count: COUNT,
  peerCount: COUNT,
  ours: onEntries(async (cache, count) => {
    for (let n = 0; n < count; n++) {
      await cache.transaction([0], async (tx) => {
        const { id } = (await tx.get(0))!;
        tx.set(0, { id: id + 1, name: "counter", ok: true });
      });
    }
    assertTotal((await cache.get(0))!.id, count);
  }),
};

const open: Benchmark = {
  name: "cache/open",
  count: COUNT,
  goals: { floor: 2 },
  ours: (count) =>
    onPath(async (path) => {
      {
        await using cache = await Cache.open<Small>(path, OPTIONS);
        await fill(cache, count);
      }
      let cache: Cache<Small> | undefined;
      const ms = await time(async () => {
        cache = await Cache.open<Small>(path, OPTIONS);
      });
      assertTotal(cache!.size, count);
      await cache!.close();
      return ms;
    }),
  floor: (count) =>
    onPath(async (path) => {
      using kv = await Deno.openKv(path);
      for (let id = 0; id < count; id += ROWS_PER_WRITE) {
        const atomic = kv.atomic();
        for (let n = id; n < id + ROWS_PER_WRITE; n++) atomic.set([n], small(n));
        await atomic.commit();
      }
      return await time(async () => {
        let rows = 0;
        for await (const _ of kv.list({ prefix: [] }, { batchSize: ROWS_PER_WRITE })) rows++;
        assertTotal(rows, count);
      });
    }),
};

async function* numbers(count: number): AsyncGenerator<number, void> {
  for (let n = 0; n < count; n++) yield n;
}

/** Every message is stored under one of 100,000 keys, so that most of them overwrite an entry. */
async function store(
  cache: Cache<Small>,
  count: number,
  seen: () => void = () => {},
): Promise<void> {
  const app = new App();
  app.handle(numbers(count), (n) => [n % COUNT, small(n)] as const, { sink: [cache, seen] });
  await app.stream();
  assertTotal(cache.size, Math.min(count, COUNT));
}

const sink: Benchmark = {
  name: "cache/sink",
  count: FLOW_COUNT,
  peerCount: COUNT,
  goals: { peer: 3 },
  ours: onCache((cache, count) => store(cache, count)),
};

/** The benchmarks of the Cache. */
export const cache: readonly Benchmark[] = [
  put,
  get,
  update,
  asof,
  scan,
  transaction,
  open,
  sink,
];

/** The memory runs of the Cache. */
export const cacheMemory: readonly MemoryRun[] = [{
  name: "memory/cache",
  count: FLOW_COUNT,
  run: (count, seen) =>
    onPath(async (path) => {
      await using cache = await Cache.open<Small>(path, OPTIONS);
      await store(cache, count, seen);
    }),
}];
