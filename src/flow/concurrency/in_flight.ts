import type { Receipt } from "../source/receipt.ts";

/** A message that was taken from its source, until it is done. */
export class InFlight {
  readonly partition: number;
  /** The position after it, in a source that can begin at one. */
  readonly next: unknown;
  /** How many consumers are to be done with it. */
  consumers = 0;
  /** True once a consumer has begun to handle it. */
  begun = false;
  /** True when all consumers are done with it. */
  over = false;
  /** True when everything made from it is done, behind Proxies too. */
  done = false;
  /** True when a consumer has failed on it, or does not handle it: it is not acknowledged. */
  lost = false;
  /** The receipts of the same message, as its source has given it again meanwhile. */
  again: Receipt[] | undefined;

  /**
   * @param epoch The epoch of the source's gate.
   * @param number Counts the messages of the source.
   * @param since When it was taken.
   */
  constructor(
    public message: unknown,
    public receipt: Receipt | undefined,
    readonly failure: Error | undefined,
    readonly epoch: number,
    readonly number: number,
    readonly since: number,
    /** True where the receipts are those of the source, and tell a position of it. */
    isPositioned: boolean,
  ) {
    this.partition = isPositioned ? receipt?.partition ?? 0 : 0;
    this.next = isPositioned ? receipt?.next : undefined;
  }
}
