/**
 * Resolves as `promise` does, and goes on without it when the signal aborts.
 *
 * @throws The signal's reason, as soon as it aborts.
 */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  promise.catch(() => {}); // nobody may be left who waits for it
  if (signal.aborted) throw signal.reason;
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** A signal that aborts with the first of others, until it is disposed of. */
export interface LinkedSignal extends Disposable {
  /** The signal. */
  readonly signal: AbortSignal;
}

/**
 * Links a signal to others, for one wait: `AbortSignal.any` leaves something behind in each of them, which
 * a signal that lives long would gather.
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
