import type { ErrorPolicy, FailedStep, LastResort, RetryOptions, Sink } from "./types.ts";

/**
 * The policy that repeats a failed step: after waits that double from `minMs` to `maxMs`, each shortened
 * by chance so that many who failed at once do not come back at once.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App, retry } from "@slipstream/slipstream";
 *
 * const app = new App();
 * const attempts: number[] = [];
 * app.handle(["a"], (_letter, { attempt }) => {
 *   attempts.push(attempt);
 *   if (attempt < 3) throw new Error("not yet");
 * }, { onError: retry({ attempts: 5, minMs: 1 }, "skip") });
 * await app.stream();
 * assertEquals(attempts, [1, 2, 3]);
 * ```
 *
 * @param options How often, and after which waits.
 * @param otherwise What follows when it did not help.
 */
export function retry(options: RetryOptions = {}, otherwise: LastResort = "stop"): ErrorPolicy {
  return { retry: options, otherwise };
}

/**
 * The policy that writes what failed to a sink and goes on: the sink gets the error, with the message (and
 * the value, where a sink failed) in it. What failed for several messages (behind `batch()`) it gets once for
 * each: `origin` is that message, `input` what the handler was called with. A Topic keeps each message as it
 * was, once for each flow, however much of it failed.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App, deadLetter } from "@slipstream/slipstream";
 *
 * const app = new App();
 * const dead: unknown[] = [];
 * app.handle(["1", "x"], (text) => {
 *   if (Number.isNaN(Number(text))) throw new TypeError(`not a number: ${text}`);
 * }, { onError: deadLetter((error) => dead.push(error.input)) });
 * await app.stream();
 * assertEquals(dead, ["x"]);
 * ```
 */
export function deadLetter(sink: Sink<FailedStep>): { readonly deadLetter: Sink<FailedStep> } {
  return { deadLetter: sink };
}
