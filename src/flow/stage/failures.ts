import { FlowError } from "../../errors.ts";

/** How many kinds of errors are kept. */
const MOST_KINDS = 8;

/** The errors of one kind: those of which what was thrown has the same name. */
export interface FailureKind {
  /** How many there were. */
  count: number;
  /** The last of them, and when it happened. */
  last: { readonly error: unknown; readonly at: number };
}

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
  /** The errors by kind, the latest kind last: one poisonous message is not hidden by a thousand other errors. */
  readonly kinds: Map<string, FailureKind> = new Map();

  /** A step has failed. */
  failed(error: unknown, at: number): void {
    this.errors++;
    const cause = rootCause(error);
    const name = cause instanceof Error ? cause.name : typeof cause;
    const count = (this.kinds.get(name)?.count ?? 0) + 1;
    this.kinds.delete(name);
    this.kinds.set(name, { count, last: { error, at } });
    if (this.kinds.size > MOST_KINDS) this.kinds.delete(this.kinds.keys().next().value!);
  }

  /** The last error, and when it happened. */
  get last(): FailureKind["last"] | undefined {
    return [...this.kinds.values()].at(-1)?.last;
  }
}

/** What was thrown, in the errors that were made of it. */
export function rootCause(error: unknown): unknown {
  return error instanceof FlowError && error.cause !== undefined ? rootCause(error.cause) : error;
}
