import { delay } from "@std/async/delay";

/** Resolves when `condition` holds; throws when it does not within `ms`, or `signal` aborts. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  ms: number,
  signal?: AbortSignal,
): Promise<void> {
  for (const end = performance.now() + ms; !await condition();) {
    signal?.throwIfAborted();
    if (performance.now() > end) throw new Error(`${what}: not within ${ms / 1_000} s`);
    await delay(50);
  }
}
