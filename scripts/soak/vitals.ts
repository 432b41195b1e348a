import process from "node:process";
import { slope } from "../bench/heap.ts";

/** What a process holds. */
export interface Vitals {
  /** Bytes of the heap in use, after a collection. */
  readonly heap: number;
  /** Bytes of memory of the process. */
  readonly rss: number;
  /** Timers, sockets and other things that the event loop knows. */
  readonly handles: number;
  /** Open file descriptors; NaN where the system does not tell. */
  readonly descriptors: number;
}

/** Measures this process, which needs `--v8-flags=--expose-gc`. */
export function measureVitals(): Vitals {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, rss } = Deno.memoryUsage();
  return {
    heap: heapUsed,
    rss,
    handles: process.getActiveResourcesInfo().length,
    descriptors: countDescriptors(),
  };
}

function countDescriptors(): number {
  try {
    return [...Deno.readDirSync("/proc/self/fd")].length;
  } catch {
    return NaN;
  }
}

/** A line through figures: its growth a minute, the standard error of that, and how long the line is. */
export interface Growth {
  readonly perMinute: number;
  readonly error: number;
  readonly minutes: number;
}

/** A figure at a time, in minutes. */
export interface Reading {
  readonly x: number;
  readonly y: number;
}

const BLOCK = 5;

/**
 * Fits a line through the least figure of each five that were read after the first third, in which code is
 * compiled and queues grow: what is in flight comes on top of what stays, now more, now less.
 */
export function growthOf(readings: readonly Reading[]): Growth {
  const late = readings.slice(Math.ceil(readings.length / 3));
  const least: Reading[] = [];
  for (let from = 0; from + BLOCK <= late.length; from += BLOCK) {
    least.push(late.slice(from, from + BLOCK).reduce((a, b) => b.y < a.y ? b : a));
  }
  if (least.length < 3) return { perMinute: NaN, error: NaN, minutes: 0 };
  const perMinute = slope(least);
  const mean = (of: (reading: Reading) => number) =>
    least.reduce((sum, reading) => sum + of(reading), 0) / least.length;
  const [x, y] = [mean((reading) => reading.x), mean((reading) => reading.y)];
  const rest = mean((reading) => (reading.y - y - perMinute * (reading.x - x)) ** 2);
  const spread = mean((reading) => (reading.x - x) ** 2);
  return {
    perMinute,
    error: Math.sqrt(rest / spread / (least.length - 2)),
    minutes: late.at(-1)!.x - late[0]!.x,
  };
}
