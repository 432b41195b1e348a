import { type Clock, remind } from "../clock.ts";

/** After how long without an assignment it is told what it waits for. */
export const JOINING_AFTER_MS = 3_000;

/** Tells while a member has no assignment, when that takes long, and again when it has taken twice as long. */
export class JoinWatch {
  readonly #clock: Clock;
  readonly #tell: (waitedMs: number) => void;
  #cancel: (() => void) | undefined;

  /** Calls `tell` with how long it has been waited. */
  constructor(clock: Clock, tell: (waitedMs: number) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** The member waits for an assignment. */
  begin(): void {
    this.#cancel ??= remind(this.#clock, JOINING_AFTER_MS, this.#tell);
  }

  /** It waits no longer. */
  end(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
