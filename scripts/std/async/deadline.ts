// A typed stand-in for jsr:@std/async/deadline (see CONTRIBUTING.md).
import { deadline as stdDeadline } from "npm:deno-std@1.4.0/async/deadline.js";

/** Options for {@linkcode deadline}. */
export interface DeadlineOptions {
  /** Rejects early with its reason. */
  signal?: AbortSignal;
}
/** Rejects with a `DOMException` named `TimeoutError` when `p` takes longer than `ms`. */
export const deadline: <T>(p: Promise<T>, ms: number, options?: DeadlineOptions) => Promise<T> =
  stdDeadline;
