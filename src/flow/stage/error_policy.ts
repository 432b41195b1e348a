import {
  checkOptions,
  duration,
  number,
  type Read,
  readOptions,
  type Rule,
  type Rules,
} from "../../options.ts";
import { refusal } from "../../refusal.ts";
import type { Context, FlowFailure, RetryOptions } from "../../types.ts";
import { isSink, type Sink } from "./sink.ts";

/** The policy for an error once all retries have failed. */
export type ExhaustedPolicy = "stop" | "skip" | { readonly deadLetter: Sink<FlowFailure> };

/**
 * How an error is handled: `"stop"` ends the app, `"skip"` continues without the message or the value, `deadLetter`
 * writes the error (with the message) to a sink and continues, `retry` repeats the step. An error about several
 * messages (behind `batch()`) is written once for each of them.
 */
export type ErrorPolicy =
  | ExhaustedPolicy
  | { readonly retry: RetryOptions; readonly otherwise?: ExhaustedPolicy | undefined };

/**
 * A policy, or a function that chooses one for each error. Sinks with `close()`, streams and topics that it
 * chooses stay open until the app ends: create them once, not for each error.
 */
export type OnError<Args = unknown> =
  | ErrorPolicy
  | ((error: FlowFailure, context: Context<Args>) => ErrorPolicy | Promise<ErrorPolicy>);

/** What a policy may be, in words. */
export const POLICIES = '"stop", "skip", { deadLetter }, { retry, otherwise? } or a function';

/** A policy, or a function that chooses one. */
export const errorPolicy: Rule = (value, what) => {
  checkPolicy(value, () => new TypeError(refusal(what, POLICIES, value)));
  return value;
};

/**
 * Checks an error policy.
 *
 * @throws {TypeError} If an option of a retry is unknown or of a wrong type.
 * @throws {RangeError} If one is out of bounds.
 * @throws What `wrong` makes of the value that does not fit.
 */
export function checkPolicy(policy: unknown, wrong: (value: unknown) => Error): void {
  if (policy === "stop" || policy === "skip" || typeof policy === "function") return;
  if (typeof policy !== "object" || policy === null) throw wrong(policy);
  const { retry, otherwise, deadLetter } = policy as Record<string, unknown>;
  if (deadLetter !== undefined) {
    checkOptions("onError", policy, ["deadLetter"]);
    if (!isSink(deadLetter)) throw wrong(policy);
    return;
  }
  if (typeof retry !== "object" || retry === null) throw wrong(policy);
  checkOptions("onError", policy, ["retry", "otherwise"]);
  readRetry(retry);
  if (otherwise === undefined) return;
  const last = otherwise as { retry?: unknown } | null;
  if (typeof last === "function" || last?.retry !== undefined) throw wrong(policy);
  checkPolicy(otherwise, wrong);
}

const RETRY_RULES = {
  attempts: number({ least: 0 }),
  minDelay: duration(),
  maxDelay: duration(),
} as const satisfies Rules<RetryOptions>;

/** Returns the options of a retry, with durations in milliseconds. */
export function readRetry(retry: RetryOptions): Read<RetryOptions, typeof RETRY_RULES> {
  return readOptions("retry", retry, RETRY_RULES);
}
