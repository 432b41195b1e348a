/**
 * Messages handled concurrently, beside a bare pool of as many promises. Positions are committed each 250 ms; the
 * source is in memory and never waits, so that nothing else is measured.
 */
import { App, Cache, type ConcurrencyOptions } from "@slipstream/slipstream";
import { AckTracker } from "../../src/flow/source/ack_tracker.ts";
import { END, type Feed, type FeedSource, openFeed } from "../../src/flow/source/feed.ts";
import type { Commit } from "../../src/flow/source/host.ts";
import { Receipt } from "../../src/flow/source/receipt.ts";
import type { Resumption } from "../../src/flow/state/state.ts";
import { Random } from "../../src/testing/mod.ts";
import type { Benchmark } from "./benchmark.ts";
import { flow } from "./flow.ts";

const COUNT = 20_000;
/** How many messages are handled at the same time. */
const MAX = 64;
const COMMIT = { interval: 250 };

/** The numbers up to a count as a source whose messages have positions, like a partition of a topic. */
class Numbers implements FeedSource<number> {
  readonly name = "numbers";
  readonly positioned = true;
  readonly #count: number;
  /** The position that was committed last. */
  committed = 0;

  constructor(count: number) {
    this.#count = count;
  }

  [openFeed](): Feed<number> {
    let acks = new AckTracker(0);
    let resumption: Resumption | undefined;
    let position: number | undefined;
    const begin = (): number => {
      const start = resumption?.start(0, 0) as number | undefined ?? 0;
      resumption?.began(0, start, false);
      acks = new AckTracker(start);
      return start;
    };
    const feed: Feed<number> = {
      receipt: undefined,
      poll: () => {
        position ??= begin();
        if (position === this.#count) return END;
        const n = position++;
        const number = acks.open(position);
        feed.receipt = new Receipt(() => acks.done(number), position);
        return n;
      },
      wait() {},
      cancel() {},
      resumeBy: (given) => void (resumption = given),
      snapshot: (upTo) => this.#snapshot(acks.position, upTo?.get(0) as number | undefined),
    };
    return feed;
  }

  #snapshot(acknowledged: number, upTo = Infinity): Commit | undefined {
    const position = Math.min(acknowledged, upTo);
    if (position === this.committed) return undefined;
    return () => {
      this.committed = position;
      return Promise.resolve();
    };
  }

  /** Throws unless everything is committed. */
  check(): void {
    if (this.committed === this.#count) return;
    throw new Error(`${this.committed} of ${this.#count} messages are committed`);
  }
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Calls `work` for each of the numbers up to `count`, at most `MAX` at the same time. */
async function pool(count: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: MAX }, worker));
}

/** Runs one flow over the numbers up to `count`; all must be committed at its end. */
async function run(
  count: number,
  by: ConcurrencyOptions<number>["by"],
  work: (n: number) => Promise<void>,
  state?: Cache<number>,
): Promise<void> {
  const source = new Numbers(count);
  const app = new App({ commit: COMMIT });
  app.handle(source, work, { name: "work", state, concurrency: { max: MAX, by } });
  await app.stream();
  source.check();
}

/** Counts what is done, so that every round proves that it did the work. */
async function counted(
  count: number,
  body: (done: () => void) => Promise<void>,
): Promise<void> {
  let calls = 0;
  await body(() => void calls++);
  if (calls !== count) throw new Error(`${calls} messages were handled, not ${count}`);
}

const io: Benchmark = {
  name: "concurrency/io",
  count: COUNT,
  goals: { floor: 0.9 },
  ours: (count) => counted(count, (done) => run(count, (n) => n, () => wait(10).then(done))),
  floor: (count) => counted(count, (done) => pool(count, () => wait(10).then(done))),
};

/** How many keys are counted. */
const KEYS = 5_000;

/** One message in a hundred takes long: a cut that waited for it would stop all others. */
const msOf = (n: number): number => n % 100 === 50 ? 500 : 10;

/** Counts the numbers up to `count` by key in a Cache on disk, and returns the milliseconds without its end. */
async function count(
  count: number,
  body: (cache: Cache<number>, work: (n: number) => Promise<void>) => Promise<void>,
): Promise<number> {
  const folder = await Deno.makeTempDir();
  try {
    await using cache = await Cache.open<number>(`${folder}/counts`, { maxBytes: Infinity });
    const started = performance.now();
    await body(cache, async (n) => {
      await wait(msOf(n));
      await cache.update(n % KEYS, (before = 0) => before + 1);
    });
    const ms = performance.now() - started;
    let sum = 0;
    for await (const each of cache.values()) sum += each;
    if (sum !== count) throw new Error(`${sum} messages were counted, not ${count}`);
    return ms;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const state: Benchmark = {
  name: "concurrency/state",
  count: COUNT,
  goals: { floor: 0.8 },
  ours: (messages) => count(messages, (cache, work) => run(messages, (n) => n % KEYS, work, cache)),
  floor: (messages) =>
    count(messages, async (cache, work) => {
      await pool(messages, work);
      await cache.flush();
    }),
};

let keys: number[] = [];

/** The keys of `count` messages: the k-th of a thousand comes in proportion to 1 / k^0.8 (Zipf). */
function zipf(count: number): number[] {
  if (keys.length === count) return keys; // made in the warm-up
  const random = new Random(1);
  const sums: number[] = [];
  for (let k = 1; k <= 1_000; k++) sums.push((sums.at(-1) ?? 0) + k ** -0.8);
  keys = Array.from({ length: count }, () => {
    const at = random.number() * sums.at(-1)!;
    return sums.findIndex((sum) => at < sum);
  });
  return keys;
}

const skewed: Benchmark = {
  name: "concurrency/skewed",
  count: COUNT,
  ours(count) {
    const keys = zipf(count);
    return counted(count, (done) => run(count, (n) => keys[n]!, () => wait(5).then(done)));
  },
  // Knows all messages beforehand: each worker takes the longest key that is left, and handles all of it.
  floor(count) {
    const lengths = new Map<number, number>();
    for (const key of zipf(count)) lengths.set(key, (lengths.get(key) ?? 0) + 1);
    const longest = [...lengths.values()].sort((a, b) => b - a);
    return counted(count, (done) =>
      pool(longest.length, async (index) => {
        for (let left = longest[index]!; left > 0; left--) await wait(5).then(done);
      }));
  },
};

const asynchronous = flow.find(({ name }) => name === "flow/async")!;

const cpu: Benchmark = {
  name: "concurrency/cpu",
  count: 10 * COUNT, // they take a few microseconds each
  goals: { floor: 0.3 },
  ours: (count) =>
    // deno-lint-ignore require-await
    counted(count, (done) => run(count, (n) => n % KEYS, async () => done())),
  floor: asynchronous.ours, // one message after the other
};

/** The benchmarks of flows that handle messages concurrently. */
export const concurrency: readonly Benchmark[] = [io, state, skewed, cpu];
