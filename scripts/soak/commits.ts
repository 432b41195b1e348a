/** Counts commits, and how long messages that were done waited for one. */
export class CommitWatch {
  readonly #now: () => number;
  #commits = 0;
  #longestMs = 0;
  /** When the first message was done that no commit has followed. */
  #since: number | undefined;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** A message is done. */
  delivered(): void {
    this.#since ??= this.#now();
  }

  /** What was done is committed. */
  committed(): void {
    this.#commits++;
    this.#longestMs = this.longestMs;
    this.#since = undefined;
  }

  /** How many commits there were. */
  get commits(): number {
    return this.#commits;
  }

  /** Milliseconds of the longest time from one commit to the next, the one that goes on included. */
  get longestMs(): number {
    const open = this.#since === undefined ? 0 : this.#now() - this.#since;
    return Math.max(this.#longestMs, open);
  }
}
