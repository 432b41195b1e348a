import type { Benchmark, Result } from "./benchmark.ts";
import type { Peer } from "./peer.ts";

/** One contender of a benchmark: returns how many messages a second it did. */
type Contender = () => Promise<number>;

/**
 * Runs a benchmark's contenders in turns, so that what else the machine does meets all of them.
 *
 * The ratios are medians of the ratios within a round; every other round runs in the opposite order.
 */
export async function measure(
  benchmark: Benchmark,
  rounds: number,
  peer: Peer | undefined,
): Promise<Result> {
  const { name, count, ours, floor, peerCount } = benchmark;
  const contenders: Record<string, Contender> = { ours: () => timed(ours, count) };
  if (floor !== undefined) contenders["floor"] = () => timed(floor, count);
  if (peer !== undefined && peerCount !== undefined) {
    contenders["peer"] = () => peer.run(name, peerCount);
  }

  for (const contender of Object.values(contenders)) await contender(); // warm-up
  const speeds: Record<string, number[]> = { ours: [], floor: [], peer: [] };
  for (let round = 0; round < rounds; round++) {
    const order = Object.entries(contenders);
    if (round % 2 === 1) order.reverse();
    for (const [who, contender] of order) speeds[who]!.push(await contender());
  }

  const ratio = (others: number[]) =>
    others.length === 0
      ? null
      : median(others.map((other, round) => speeds["ours"]![round]! / other));
  return {
    name,
    perSecond: median(speeds["ours"]!),
    floorRatio: ratio(speeds["floor"]!),
    peerRatio: ratio(speeds["peer"]!),
    ...(benchmark.goals && { goals: benchmark.goals }),
  };
}

async function timed(work: (count: number) => Promise<void>, count: number): Promise<number> {
  collectGarbage();
  const started = performance.now();
  await work(count);
  return count / ((performance.now() - started) / 1000);
}

/** Collects the garbage of what ran before; needs `--v8-flags=--expose-gc`, which the task gives. */
export function collectGarbage(): void {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error("Cannot collect garbage: run this by `deno task bench`");
  gc();
}

/** Returns the middle of the numbers; of an even number of them the mean of the middle two. */
export function median(numbers: readonly number[]): number {
  if (numbers.length === 0) throw new RangeError("Cannot take the median of no numbers");
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
