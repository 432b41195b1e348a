import type { Attribution } from "../flow/attribution.ts";
import type { Host } from "../flow/feed.ts";

/**
 * Does `step`, once, which nobody waits for: its errors meet `guard`, the policy of a flow, as those of
 * `message`; without a guard they end the run, and without a run they are unhandled rejections.
 */
export function doUnder(
  guard: Attribution["guard"] | undefined,
  step: () => void | Promise<void>,
  message: unknown,
  host: Host | undefined,
): void {
  let done: void | Promise<void>;
  try {
    done = step();
  } catch (error) {
    done = Promise.reject(error);
  }
  if (done === undefined) return;
  if (guard !== undefined) guard(() => done, message);
  else if (host !== undefined) done.catch((error) => host.fail(error));
  else done.then(); // a promise that nobody handles
}
