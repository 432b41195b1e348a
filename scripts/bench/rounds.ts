import type { Benchmark, Result } from "./benchmark.ts";
import { Isolate } from "./isolate.ts";
import { Peer } from "./peer.ts";

/** One contender of a benchmark: does a round and returns how many messages a second it did. */
type Contender = () => Promise<number>;

/**
 * Runs a benchmark's contenders in turns, so that what else the machine does meets all of them.
 *
 * The ratios are medians of the ratios within a round; every other round runs in the opposite order.
 */
export async function measure(
  { name, count, floor, peerCount, rival, goals }: Benchmark,
  rounds: number,
  peer: Peer | undefined,
): Promise<Result> {
  using isolate = new Isolate();
  const contenders: [who: "ours" | "floor" | "peer", contender: Contender][] = [
    ["ours", () => isolate.run(name, "ours")],
  ];
  if (floor !== undefined) contenders.push(["floor", () => isolate.run(name, "floor")]);
  if (peer !== undefined && peerCount !== undefined) {
    contenders.push(["peer", () => peer.run({ name, count: peerCount })]);
  }
  await using rivals = rival && await Peer.start(rival.program);
  if (rival !== undefined && rivals !== undefined) {
    contenders.push(["peer", async () => rivals.run({ count, ...await rival.request(count) })]);
  }

  for (const [, contender] of contenders) await contender(); // warm-up
  const speeds = { ours: [] as number[], floor: [] as number[], peer: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    for (const [who, contender] of contenders) speeds[who].push(await contender());
    contenders.reverse();
  }

  const { ours } = speeds;
  return {
    name,
    perSecond: median(ours),
    floorRatio: ratio(ours, speeds.floor),
    peerRatio: ratio(ours, speeds.peer),
    ...(goals && { goals }),
  };
}

function ratio(ours: readonly number[], others: readonly number[]): number | null {
  return others.length === 0 ? null : median(ours.map((speed, round) => speed / others[round]!));
}

/** Returns the middle of the numbers; of an even number of them the mean of the middle two. */
export function median(numbers: readonly number[]): number {
  if (numbers.length === 0) throw new RangeError("Cannot take the median of no numbers");
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Returns the number that a share of the numbers is below: 0.99 gives the 99th percentile. */
export function quantile(numbers: readonly number[], share: number): number {
  if (numbers.length === 0) throw new RangeError("Cannot take a quantile of no numbers");
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}
