import type { Receipt } from "../source/receipt.ts";

/** A message as a stage has taken it; behind a Proxy its receipt may stand for several. */
export interface Taken {
  readonly root: unknown;
  readonly receipt: Receipt | undefined;
}

/** What is being delivered between two stages, and for which message. */
export class Delivery {
  /** The message, as the source gave it. */
  root: unknown = undefined;
  /** What acknowledges it. */
  receipt: Receipt | undefined = undefined;
  /** The messages that it is made from, where a stage has made it from several, or somebody has asked. */
  from: readonly Taken[] | undefined = undefined;
  /** Which of the sources of the flow it came from, where they are merged. */
  branch = 0;

  /** Another message is delivered from now on. */
  begin(root: unknown, receipt: Receipt | undefined): void {
    this.root = root;
    this.receipt = receipt;
    this.from = undefined;
  }
}
