import { type ErrorPolicy, type ExhaustedPolicy, readRetry } from "./flow/stage/error_policy.ts";
import type { FlowFailure, RetryOptions } from "./types.ts";
import { isSink, type Sink } from "./flow/stage/sink.ts";
import { refusal } from "./refusal.ts";

/**
 * The policy that retries a failed step: after delays that double from `minDelay` to `maxDelay`, each shortened at random
 * so that steps that failed together do not retry together.
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
 * }, { onError: retry({ attempts: 5, minDelay: 1 }, "skip") });
 * await app.stream();
 * assertEquals(attempts, [1, 2, 3]);
 * ```
 *
 * @param options How many retries, and the delays before them.
 * @param otherwise The policy when no retry has succeeded.
 * @throws {TypeError} If an option is unknown or of a wrong type.
 * @throws {RangeError} If one is out of bounds.
 */
export function retry(
  options: RetryOptions = {},
  otherwise: ExhaustedPolicy = "stop",
): ErrorPolicy {
  if (typeof options === "number") {
    throw new TypeError(`Cannot retry ${options}: write retry({ attempts: ${options} })`);
  }
  readRetry(options);
  return { retry: options, otherwise };
}

/**
 * The policy that writes a failure to a sink and continues: the sink gets the error, which holds the message (and the
 * value, if a sink failed). An error about several messages (behind `batch()`) is written once for each: `origin` is
 * that message, `input` the value that the handler was called with. A Topic stores each message unchanged, once for
 * each flow, however much of it failed.
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
 *
 * @throws {TypeError} If it is not a sink.
 */
export function deadLetter(sink: Sink<FlowFailure>): { readonly deadLetter: Sink<FlowFailure> } {
  if (isSink(sink)) return { deadLetter: sink };
  throw new TypeError(
    refusal("the sink of deadLetter()", "a function, a stream, a Topic or another sink", sink),
  );
}
