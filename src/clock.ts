/** Time, timers and chance, as the library sees them: everything in `src/` that waits goes through this. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Calls `callback` once after `ms` milliseconds; returns what cancels it. */
  timer(callback: () => void, ms: number): () => void;
  /** Calls `callback` in a new macrotask, after timers and I/O had their turn. */
  macrotask(callback: () => void): void;
  /** A number from 0 to less than 1, for the jitter of waits. */
  random(): number;
}

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  timer(callback, ms) {
    const id = setTimeout(callback, ms);
    return () => clearTimeout(id);
  },
  macrotask: (callback) => void setImmediate(callback),
  random: () => Math.random(),
};

/** Says whether `value` has all that a clock has. */
export function isClock(value: unknown): value is Clock {
  const { now, timer, macrotask, random } = (value ?? {}) as Partial<Clock>;
  return [now, timer, macrotask, random].every((method) => typeof method === "function");
}

/**
 * Resolves after `ms` milliseconds of `clock`.
 *
 * @throws The signal's reason, as soon as it aborts.
 */
export function delay(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abort = () => {
      cancel();
      reject(signal!.reason);
    };
    const cancel = clock.timer(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", abort, { once: true });
  });
}
