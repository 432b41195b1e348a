/**
 * A flow whose messages are pulses of a checkpoint, beside the same flow without one; `peer/checkpoint.py`
 * has the same work in Python. For every ten messages of the dependent there is one of its dependency.
 */
import { App, Cache, Checkpoint, Dependency, type Source } from "@slipstream/slipstream";
import {
  END,
  type Feed,
  type FeedSource,
  openFeed,
  Receipt,
} from "@slipstream/slipstream/connector";
import type { Benchmark } from "./benchmark.ts";

const PER_DEPENDENCY = 10;

interface Event {
  readonly partition: number;
  readonly offset: number;
  readonly time: number;
}

/** A source with positions that is always ready, as a Topic is that has fetched everything. */
class Events implements FeedSource<Event>, Feed<Event> {
  receipt: Receipt | undefined;
  #next = 0;

  constructor(readonly count: number, readonly stepMs: number) {}

  [openFeed](): Feed<Event> {
    return this;
  }

  poll(): Event | typeof END {
    if (this.#next === this.count) return END;
    const offset = this.#next++;
    this.receipt = new Receipt(() => {});
    return { partition: 0, offset, time: offset * this.stepMs };
  }

  wait(): void {}

  cancel(): void {}

  seek(positions: unknown): void {
    this.#next = (positions as Record<number, number>)[0]!;
  }
}

/** Streams both sources; the two handlers add what a checkpoint needs, or nothing. */
async function run(
  count: number,
  dependency: Source<Event>,
  dependent: Source<Event>,
  heartbeat: (time: number) => unknown,
  pulse: (time: number) => unknown,
): Promise<void> {
  let stored = 0;
  let answered = 0;
  const app = new App();
  app.handle(dependency, async ({ time }) => {
    await heartbeat(time);
    return time;
  }, { sink: () => void stored++ });
  app.handle(dependent, async ({ time }) => {
    await pulse(time);
    return time;
  }, { sink: () => void answered++ });
  await app.stream();
  if (answered < count || stored !== count / PER_DEPENDENCY) {
    throw new Error(`The sinks got ${answered} and ${stored} messages of ${count}`);
  }
}

const sources = (count: number) =>
  [
    new Events(count / PER_DEPENDENCY, PER_DEPENDENCY),
    new Events(count, 1),
  ] as const;

const emit: Benchmark = {
  name: "checkpoint/emit",
  count: 300_000,
  peerCount: 30_000,
  goals: { floor: 0.25, peer: 5 },
  async ours(count) {
    const folder = await Deno.makeTempDir();
    try {
      await using cache = await Cache.open(`${folder}/db`);
      const [source, dependent] = sources(count);
      const checkpoint = new Checkpoint("bench", {
        dependent,
        dependencies: [new Dependency("source", source)],
        correct: true,
        cache,
      });
      await run(
        count,
        source,
        dependent,
        (time) => checkpoint.heartbeat(time),
        (time) => checkpoint.checkPulse(time),
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
  async floor(count) {
    const [source, dependent] = sources(count);
    await run(count, source, dependent, () => {}, () => {});
  },
};

/** All benchmarks of the checkpoint. */
export const checkpoint: Benchmark[] = [emit];
