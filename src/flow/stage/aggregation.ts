import type { Context, Handler } from "../../types.ts";

/**
 * The handler that `aggregate()` makes. When its call is over, nothing of the user's goes on for the message: it calls
 * functions only.
 *
 * @typeParam M The messages.
 * @typeParam O The results.
 */
export class Aggregation<M, O> {
  /** For the types only: always absent. */
  declare readonly results?: (message: M) => O;
  /** @internal The handler itself. */
  readonly handle: Handler<unknown, unknown>;

  /** @internal Made by `aggregate()`. */
  constructor(handle: (message: M, context: Context) => O | Promise<O>) {
    this.handle = handle as Handler<unknown, unknown>;
  }
}
