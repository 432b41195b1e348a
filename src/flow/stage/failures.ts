/** What went wrong in a flow, counted where it is dealt with: the way of a message that does not fail has none of it. */
export class Failures {
  /** How many steps failed. */
  errors = 0;
  /** How many retries were made. */
  retries = 0;
  /** How many messages, or values, were skipped. */
  skipped = 0;
  /** How many dead letters were written. */
  deadLetters = 0;
  /** The last error, and when it happened. */
  last: { readonly error: unknown; readonly at: number } | undefined;

  /** A step has failed. */
  failed(error: unknown, at: number): void {
    this.errors++;
    this.last = { error, at };
  }
}
