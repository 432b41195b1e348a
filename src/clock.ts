/**
 * Time, timers and randomness, as the library sees them: everything in `src/` that waits goes through this.
 *
 * The time of day can be set, by hand or by NTP, so it is used for dates only; every duration is a difference of
 * {@linkcode Clock.monotonic}.
 */
export interface Clock {
  /** The time of day: milliseconds since the Unix epoch. It jumps when the clock is set. */
  now(): number;
  /** Milliseconds since an arbitrary moment. It never jumps or goes back. */
  monotonic(): number;
  /** Calls `callback` once after `ms` monotonic milliseconds; returns a function that cancels it. */
  timer(callback: () => void, ms: number): () => void;
  /** Calls `callback` in a new macrotask, after timers and I/O had their turn. */
  macrotask(callback: () => void): void;
  /** A number from 0 to less than 1, for jitter. */
  random(): number;
}

/** The longest wait of `setTimeout`; it fires at once when it is asked for more. */
const LONGEST_MS = 2 ** 31 - 1;

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  timer(callback, ms) {
    if (ms === Infinity) return () => {};
    let id: ReturnType<typeof setTimeout> | undefined;
    const arm = (left: number) => {
      id = setTimeout(
        () => left > LONGEST_MS ? arm(left - LONGEST_MS) : callback(),
        Math.min(left, LONGEST_MS),
      );
    };
    arm(ms);
    return () => clearTimeout(id);
  },
  macrotask: (callback) => void setImmediate(callback),
  random: () => Math.random(),
};

/** The clock of the machine for those who only look on: its timers do not keep the process running. */
export const onlookersClock: Clock = {
  ...systemClock,
  timer(callback, ms) {
    if (ms === Infinity) return () => {};
    const id = setTimeout(callback, Math.min(ms, LONGEST_MS));
    Deno.unrefTimer(id);
    return () => clearTimeout(id);
  },
};

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

/** Settles as `promise` does, unless the signal aborts or `arm` fails it before; then what `arm` returned is called. */
function unlessEnded<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  arm: (fail: (error: unknown) => void) => () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const over = () => {
      cancel();
      signal?.removeEventListener("abort", abort);
    };
    const fail = (error: unknown) => {
      over();
      reject(error);
    };
    const abort = () => fail(signal!.reason);
    const cancel = arm(fail);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
    promise.then((value) => {
      over();
      resolve(value);
    }, fail);
  });
}

/**
 * Settles as `promise` does, which goes on by itself when the signal aborts.
 *
 * @throws The signal's reason, as soon as it aborts.
 */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return unlessEnded(promise, signal, () => () => {});
}

/**
 * Settles as `promise` does, if that takes no longer than `ms` milliseconds of `clock`.
 *
 * @param late Makes the error of one that takes longer.
 * @throws What `late` returns, once the time is over; the signal's reason, as soon as it aborts.
 */
export function withDeadline<T>(
  clock: Clock,
  ms: number,
  promise: Promise<T>,
  late: () => unknown,
  signal?: AbortSignal,
): Promise<T> {
  return unlessEnded(promise, signal, (fail) => clock.timer(() => fail(late()), ms));
}

/** Resolves when `promise` has settled, in any way, after `ms` milliseconds of `clock`, or when the signal aborts. */
export function settledWithin(
  clock: Clock,
  ms: number,
  promise: Promise<unknown>,
  signal?: AbortSignal,
): Promise<void> {
  return withDeadline(clock, ms, promise, () => undefined, signal).then(() => {}, () => {});
}

/** A signal that aborts with the first of others, until it is disposed of. */
export interface LinkedSignal extends Disposable {
  /** The signal. */
  readonly signal: AbortSignal;
}

/**
 * Links a signal to others, for one wait: `AbortSignal.any` leaves something behind in each of them, which
 * piles up in one that lives long.
 */
export function linked(signals: readonly (AbortSignal | undefined)[]): LinkedSignal {
  const controller = new AbortController();
  const abort = (event: Event) => controller.abort((event.target as AbortSignal).reason);
  const given = signals.filter((signal) => signal !== undefined);
  for (const signal of given) {
    if (signal.aborted) controller.abort(signal.reason);
    else signal.addEventListener("abort", abort, { once: true });
  }
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const signal of given) signal.removeEventListener("abort", abort);
    },
  };
}

/**
 * Calls `tell` after `ms` milliseconds of `clock`, and again whenever it has taken twice as long: what lasts is
 * told more than once, and not all the time.
 *
 * @returns What ends it.
 */
export function remind(clock: Clock, ms: number, tell: (passedMs: number) => void): () => void {
  const begin = clock.monotonic();
  const again = () => {
    const passed = clock.monotonic() - begin;
    cancel = clock.timer(again, passed);
    tell(Math.round(passed));
  };
  let cancel = clock.timer(again, ms);
  return () => cancel();
}
