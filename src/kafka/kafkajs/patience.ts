import type { Clock } from "../../clock.ts";

/** Resolves when `promise` has settled, in any way, or after `ms` milliseconds. */
export async function settledWithin(
  clock: Clock,
  ms: number,
  promise: Promise<unknown>,
): Promise<void> {
  await new Promise<void>((resolve) => {
    const cancel = clock.timer(resolve, ms);
    const settled = () => {
      cancel();
      resolve();
    };
    promise.then(settled, settled);
  });
}
