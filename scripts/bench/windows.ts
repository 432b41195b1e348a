/**
 * Windows with exact state on disk, over an array with positions: ten thousand keys, windows of ten seconds, a count and
 * a sum. The floor is a bare loop over a Map, which keeps nothing and survives nothing; that of `windows/by-hand` is a
 * handler that does the same by hand, in a Cache with exact state.
 */
import { App, Cache } from "@slipstream/slipstream";
import {
  END,
  type Feed,
  type FeedSource,
  openFeed,
  Receipt,
} from "@slipstream/slipstream/connector";
import {
  count,
  type ExactPipe,
  session,
  sliding,
  sum,
  tumbling,
  type WindowResult,
} from "@slipstream/slipstream/windows";
import type { Benchmark, MemoryRun } from "./benchmark.ts";

const COUNT = 1_000_000;
const KEYS = 10_000;
const SIZE = 10_000;
const GAP = 1_000;

interface Reading {
  readonly key: string;
  readonly timestamp: number;
  readonly amount: number;
}
interface Totals {
  n: number;
  total: number;
}

/** Twenty a millisecond, the keys in turns, so that a window has twenty of each. */
function reading(n: number): Reading {
  return { key: keys[n % KEYS]!, timestamp: Math.floor(n / 20), amount: n % 100 };
}
const keys = Array.from({ length: KEYS }, (_, n) => `key ${n}`);

/** A source with positions that has its messages in memory, or makes each when it is asked for it. */
class Readings implements FeedSource<Reading> {
  readonly name = "readings";
  readonly positioned = true;

  constructor(readonly count: number, readonly at: (n: number) => Reading) {}

  [openFeed](): Feed<Reading> {
    let next = 0;
    let begin = () => 0;
    const feed: Feed<Reading> = {
      receipt: undefined,
      resumeBy(resumption) {
        begin = () => {
          const start = resumption.start(0, 0) as number;
          resumption.began(0, start, false);
          return start;
        };
      },
      poll: () => {
        if (next === 0) next = begin();
        if (next === this.count) return END;
        const message = this.at(next++);
        feed.receipt = new Receipt(() => {}, next);
        return message;
      },
      wait() {},
      cancel() {},
    };
    return feed;
  }
}

const into = { n: count(), total: sum(({ amount }: Reading) => amount) };
type Window = ExactPipe<Reading, WindowResult<string, Totals>>;

/** Streams messages through a window, and returns the milliseconds; throws unless `isCounted` says that all were in windows. */
async function windowed(
  count: number,
  window: Window,
  isCounted: (n: number) => boolean,
): Promise<number> {
  const messages = Array.from({ length: count }, (_, n) => reading(n));
  return await streamed(new Readings(count, (n) => messages[n]!), window, isCounted);
}

async function streamed(
  readings: Readings,
  window: Window,
  isCounted: (n: number) => boolean,
): Promise<number> {
  const folder = await Deno.makeTempDir();
  try {
    await using state = await Cache.open(`${folder}/state`, { maxBytes: Infinity });
    let n = 0;
    const app = new App();
    app.handle(readings, window, ({ value }) => {
      n += value.n;
    }, { name: "windows", state });
    const started = performance.now();
    await app.stream();
    const ms = performance.now() - started;
    if (!isCounted(n)) throw new Error(`${n} of ${readings.count} messages were in windows`);
    return ms;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const exactly = (count: number) => (n: number) => n === count;

/** The same with a Map: nothing of it survives. */
function bare(count: number): Promise<number> {
  const messages = Array.from({ length: count }, (_, n) => reading(n));
  const started = performance.now();
  let windows = new Map<string, Totals>();
  let end = SIZE, n = 0;
  const close = () => {
    for (const totals of windows.values()) n += totals.n;
    windows = new Map();
  };
  for (const { key, timestamp, amount } of messages) {
    if (timestamp >= end) {
      close();
      end = timestamp - timestamp % SIZE + SIZE;
    }
    const totals = windows.get(key);
    if (totals === undefined) windows.set(key, { n: 1, total: amount });
    else {
      totals.n++;
      totals.total += amount;
    }
  }
  close();
  if (n !== count) throw new Error(`${n} of ${count} messages were in windows`);
  return Promise.resolve(performance.now() - started);
}

/** Sessions with a Map: those of a key end when its next message comes, or at the end. */
function bareSessions(count: number): Promise<number> {
  const messages = Array.from({ length: count }, (_, n) => reading(n));
  const started = performance.now();
  const sessions = new Map<string, Totals & { last: number }>();
  let n = 0;
  for (const { key, timestamp, amount } of messages) {
    const session = sessions.get(key);
    if (session === undefined || timestamp - session.last >= GAP) {
      n += session?.n ?? 0;
      sessions.set(key, { n: 1, total: amount, last: timestamp });
      continue;
    }
    session.n++;
    session.total += amount;
    session.last = timestamp;
  }
  for (const session of sessions.values()) n += session.n;
  if (n !== count) throw new Error(`${n} of ${count} messages were in sessions`);
  return Promise.resolve(performance.now() - started);
}

/** Sliding windows with a Map of arrays, whose first messages are taken away. */
function bareSliding(count: number): Promise<number> {
  const messages = Array.from({ length: count }, (_, n) => reading(n));
  const started = performance.now();
  const slides = new Map<string, { events: Reading[]; first: number; n: number; total: number }>();
  let n = 0;
  for (const message of messages) {
    const { key, timestamp, amount } = message;
    const slide = slides.getOrInsertComputed(key, () => ({ events: [], first: 0, n: 0, total: 0 }));
    slide.events.push(message);
    slide.n++;
    slide.total += amount;
    while (slide.events[slide.first]!.timestamp <= timestamp - SIZE) {
      slide.total -= slide.events[slide.first++]!.amount;
      slide.n--;
    }
    n += slide.n;
  }
  if (n < count) throw new Error(`${n} messages were in the windows of ${count}`);
  return Promise.resolve(performance.now() - started);
}

/** What one would write without windows: totals in a Cache, closed when the time has passed. */
async function byHand(count: number): Promise<number> {
  const messages = Array.from({ length: count }, (_, n) => reading(n));
  const folder = await Deno.makeTempDir();
  try {
    await using state = await Cache.open<Totals>(`${folder}/state`, { maxBytes: Infinity });
    let end = SIZE, n = 0;
    const close = async () => {
      for await (const [key, totals] of state.entries()) {
        n += totals.n;
        await state.delete(key);
      }
    };
    const app = new App();
    app.handle(new Readings(count, (n) => messages[n]!), async ({ key, timestamp, amount }) => {
      if (timestamp >= end) {
        await close();
        end = timestamp - timestamp % SIZE + SIZE;
      }
      const totals = await state.get(key, { n: 0, total: 0 });
      await state.set(key, { n: totals.n + 1, total: totals.total + amount });
    }, { name: "by hand", state });
    const started = performance.now();
    await app.stream();
    const ms = performance.now() - started;
    await close();
    if (n !== count) throw new Error(`${n} of ${count} messages were in windows`);
    return ms;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const tumble = (count: number) =>
  windowed(count, tumbling({ size: SIZE, into }) as Window, exactly(count));

/** The benchmarks of windows. */
export const windows: readonly Benchmark[] = [
  { name: "windows/tumbling", count: COUNT, ours: tumble, floor: bare },
  { name: "windows/by-hand", count: COUNT, goals: { floor: 0.8 }, ours: tumble, floor: byHand },
  {
    name: "windows/session",
    count: COUNT,
    ours: (count) => windowed(count, session({ gap: GAP, into }) as Window, exactly(count)),
    floor: bareSessions,
  },
  {
    name: "windows/sliding",
    count: COUNT / 5,
    ours: (count) => windowed(count, sliding({ size: SIZE, into }) as Window, (n) => n >= count),
    floor: bareSliding,
  },
];

/** Ten million messages, made one by one, through windows with exact state on disk that close all the time. */
export const windowsMemory: readonly MemoryRun[] = [{
  name: "memory/windows",
  count: 10_000_000,
  async run(count, seen) {
    const readings = new Readings(count, (n) => {
      seen();
      return reading(n);
    });
    await streamed(readings, tumbling({ size: SIZE, into }) as Window, exactly(count));
  },
}];
