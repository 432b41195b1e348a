/**
 * A topic counted by key into another topic, on a real broker: with exact state, beside without;
 * `peer/delivery.py` has the same program in Python. What is measured begins with the first message, and
 * ends after the last commit.
 */
import { App, Cache, type StateCache } from "@slipstream/slipstream";
import type { Benchmark } from "./benchmark.ts";
import { emptyTopic, KEYS, open, seed } from "./topic.ts";

const COUNT = 300_000;

/** Counts `count` messages by key, passes each count on, and returns the milliseconds; commits each second. */
async function count(count: number, exact: boolean): Promise<number> {
  await using source = open(await seed(count));
  await using sink = open<number>(await emptyTopic());
  const folder = await Deno.makeTempDir();
  try {
    await using counts = await Cache.open<number>(`${folder}/counts`, { maxBytes: Infinity });
    const state: { state?: StateCache } = exact ? { state: counts } : {};
    const app = new App();
    let seen = 0, started = 0, ended = 0;
    app.handle(source, async ({ key }) => {
      started ||= performance.now();
      const n = await counts.get(key!, 0) + 1;
      await counts.set(key!, n);
      if (++seen === count) app.close();
      return [key, n] as const;
    }, { name: "count", sink, ...state });
    app.onExit(() => ended = performance.now());
    await app.stream();
    const each = await Array.fromAsync(counts.values());
    if (each.length !== KEYS || each.some((n) => n !== count / KEYS)) {
      throw new Error(`${each.length} keys were counted, the first ${each[0]} times`);
    }
    return ended - started;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The benchmarks of delivery. */
export const delivery: readonly Benchmark[] = [{
  name: "delivery/count",
  count: COUNT,
  peerCount: COUNT / 30,
  goals: { floor: 0.5, peer: 15 },
  ours: (messages) => count(messages, true),
  floor: (messages) => count(messages, false),
}];
