/** The inside of an isolate: answers each `{ name, side }` with the messages a second of one round. */
/// <reference lib="deno.worker" />
import { benchmarks } from "./all.ts";
import type { Side } from "./benchmark.ts";

async function round(name: string, side: Side): Promise<number> {
  const benchmark = benchmarks.find((one) => one.name === name);
  const work = benchmark?.[side];
  if (benchmark === undefined || work === undefined) {
    throw new Error(`There is no ${side} of ${name}`);
  }
  // No forced collection before it: that shrinks the young generation, and the round would measure its growth.
  const started = performance.now();
  const ms = await work(benchmark.count) ?? performance.now() - started;
  return benchmark.count / (ms / 1000);
}

self.onmessage = async ({ data }: MessageEvent<{ name: string; side: Side }>) => {
  self.postMessage(await round(data.name, data.side));
};
