import type { Context, Handler } from "../../types.ts";
import type { Store } from "../source/feed.ts";

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
  /** @internal What says to which key a message belongs, if it is not its own. */
  readonly by: ((message: unknown) => unknown) | undefined;

  /** @internal Where the values are. */
  readonly store: Store;

  /** @internal Made by `aggregate()`. */
  constructor(
    store: Store,
    handle: (message: M, context: Context) => O | Promise<O>,
    by: ((message: M) => unknown) | undefined,
  ) {
    this.store = store;
    this.handle = handle as Handler<unknown, unknown>;
    this.by = by as ((message: unknown) => unknown) | undefined;
  }
}
