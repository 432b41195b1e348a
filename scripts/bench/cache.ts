/**
 * The Cache beside the reference's, which is RocksDB by rocksdict; `peer/cache.py` has the same work in
 * Python. Both read and write 100,000 entries of a small object.
 */
import { Cache, type CacheOptions } from "@slipstream/slipstream";

/** What the cache does, and what the same costs without it. */
export interface CacheBenchmark {
  /** The name, also that of the peer's function. */
  name: string;
  /** Entries in one round. */
  count: number;
  /** Entries in one round of the Python reference; absent when there is nothing to compare with. */
  peerCount?: number;
  /** What the ratios must reach. */
  goals?: { floor?: number; peer?: number };
  /** Runs one round and returns the milliseconds of what is measured: making and removing files is not. */
  round(count: number): Promise<number>;
  /** Runs one round of what the ratio to the floor is taken of. */
  floor?(count: number): Promise<number>;
}

interface Small {
  id: number;
  name: string;
  ok: boolean;
}

const COUNT = 100_000;
const OPTIONS: CacheOptions<Small> = { maxBytes: Infinity };

function small(id: number): Small {
  return { id, name: `entry ${id}`, ok: id % 2 === 0 };
}

function assertCount(actual: number, expected: number): void {
  if (actual !== expected) throw new Error(`The cache had ${actual} entries, not ${expected}`);
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

/** Times `work` on a cache that has `count` entries on disk and in memory. */
function timed(work: (cache: Cache<Small>, count: number) => Promise<void>) {
  return (count: number): Promise<number> =>
    onPath(async (path) => {
      await using cache = await Cache.open<Small>(path, OPTIONS);
      for (let id = 0; id < count; id++) await cache.set(id, small(id));
      await cache.flush();
      const started = performance.now();
      await work(cache, count);
      return performance.now() - started;
    });
}

/** The benchmarks. */
export const cache: readonly CacheBenchmark[] = [
  {
    name: "cache/put",
    count: COUNT,
    peerCount: COUNT,
    goals: { peer: 1.4 },
    round: (count) =>
      onPath(async (path) => {
        await using cache = await Cache.open<Small>(path, OPTIONS);
        const started = performance.now();
        for (let id = 0; id < count; id++) await cache.set(id, small(id));
        await cache.flush();
        return performance.now() - started;
      }),
  },
  {
    name: "cache/get",
    count: COUNT,
    peerCount: COUNT,
    goals: { peer: 4 },
    round: timed(async (cache, count) => {
      let sum = 0;
      for (let id = 0; id < count; id++) sum += (await cache.get(id))!.id;
      assertCount(sum, count * (count - 1) / 2);
    }),
  },
  {
    name: "cache/asof",
    count: COUNT,
    peerCount: COUNT / 10,
    goals: { peer: 8 },
    round: timed(async (cache, count) => {
      let sum = 0;
      for (let id = 0; id < count; id++) {
        for await (
          const { id: found } of cache.values({ from: id + 0.5, reverse: true, limit: 1 })
        ) {
          sum += found;
        }
      }
      assertCount(sum, count * (count - 1) / 2);
    }),
  },
  {
    name: "cache/scan",
    count: COUNT,
    peerCount: COUNT,
    goals: { peer: 2.5 },
    round: timed(async (cache, count) => {
      let entries = 0;
      for await (const [, value] of cache.entries()) entries += value.id >= 0 ? 1 : 0;
      assertCount(entries, count);
    }),
  },
  {
    name: "cache/transaction",
    count: COUNT,
    peerCount: COUNT,
    round: timed(async (cache, count) => {
      for (let n = 0; n < count; n++) {
        await cache.transaction([0], async (tx) => {
          const { id } = (await tx.get(0))!;
          tx.set(0, { id: id + 1, name: "counter", ok: true });
        });
      }
      assertCount((await cache.get(0))!.id, count);
    }),
  },
  {
    name: "cache/open",
    count: COUNT,
    goals: { floor: 2 },
    round: (count) =>
      onPath(async (path) => {
        {
          await using cache = await Cache.open<Small>(path, OPTIONS);
          for (let id = 0; id < count; id++) await cache.set(id, small(id));
        }
        const started = performance.now();
        await using cache = await Cache.open<Small>(path, OPTIONS);
        assertCount(cache.size, count);
        return performance.now() - started;
      }),
    floor: (count) =>
      onPath(async (path) => {
        using kv = await Deno.openKv(path);
        for (let id = 0; id < count; id += 500) {
          const atomic = kv.atomic();
          for (let n = id; n < id + 500; n++) atomic.set([n], small(n));
          await atomic.commit();
        }
        const started = performance.now();
        let rows = 0;
        for await (const _ of kv.list({ prefix: [] }, { batchSize: 500 })) rows++;
        assertCount(rows, count);
        return performance.now() - started;
      }),
  },
];

if (import.meta.main) {
  const rounds = Number(Deno.args[0] ?? 5);
  const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;
  for (const { name, count, round, floor } of cache) {
    await round(count);
    const ours: number[] = [];
    const bare: number[] = [];
    for (let n = 0; n < rounds; n++) {
      ours.push(count / await round(count) * 1_000);
      if (floor) bare.push(count / await floor(count) * 1_000);
    }
    const perSecond = Math.round(median(ours));
    const floorRatio = floor ? perSecond / median(bare) : null;
    // deno-lint-ignore no-console
    console.log(JSON.stringify({ name, perSecond, floorRatio }));
  }
}
