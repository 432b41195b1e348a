import type { MemoryRun, Result } from "./benchmark.ts";

const SAMPLES = 20;
const SKIPPED = 4; // until the code is compiled and the queues have their size

/** Runs a memory run and fits a line through the heap that is in use after each twentieth of it. */
export async function measureHeap({ name, count, run }: MemoryRun): Promise<Result> {
  const every = Math.floor(count / SAMPLES);
  const points: Point[] = [];
  let messages = 0;
  const started = performance.now();
  await run(count, () => {
    if (++messages % every !== 0) return;
    collectGarbage();
    points.push({ x: messages, y: Deno.memoryUsage().heapUsed });
  });
  const seconds = (performance.now() - started) / 1000;
  if (messages !== count) throw new Error(`${name}: ${messages} of ${count} messages arrived`);
  return {
    name,
    perSecond: count / seconds,
    floorRatio: null,
    peerRatio: null,
    bytesPerMessage: slope(points.slice(SKIPPED)),
  };
}

interface Point {
  x: number;
  y: number;
}

/** Returns the slope of the line that fits the points best (least squares). */
export function slope(points: readonly Point[]): number {
  const mean = (of: (point: Point) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const x = mean((point) => point.x);
  const y = mean((point) => point.y);
  return mean((point) => (point.x - x) * (point.y - y)) / mean((point) => (point.x - x) ** 2);
}

/** Collects the garbage of what ran before; needs `--v8-flags=--expose-gc`, which the task gives. */
export function collectGarbage(): void {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error("Cannot collect garbage: run this by `deno task bench`");
  gc();
}
