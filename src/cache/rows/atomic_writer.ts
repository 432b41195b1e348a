import { WRITERS } from "../format.ts";
import type { Calls } from "./calls.ts";

/** The row of a writer that does not come back goes after this time. */
const EXPIRE_MS = 24 * 3_600_000;

/**
 * Writes to a shared store, one atomic write at a time. Each one checks and advances the row of this
 * writer, so that after a lost answer it can be told whether it was applied, and one that was given up is
 * refused when it arrives late.
 */
export class AtomicWriter {
  readonly #kv: Deno.Kv;
  readonly #calls: Calls;
  readonly #key: Deno.KvKey = [...WRITERS, crypto.randomUUID()];
  #versionstamp: string | null = null;
  #attempt = 0;
  #unsure = false;
  #last: Promise<unknown> = Promise.resolve();

  /** Makes a writer, which has no row yet. */
  constructor(kv: Deno.Kv, calls: Calls) {
    this.#kv = kv;
    this.#calls = calls;
  }

  /** Runs `work` after all that was given before. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** Resolves when everything that was given has been done, or has failed. */
  async idle(): Promise<void> {
    await this.#last;
  }

  /** Commits what `fill` puts into an atomic write; returns its version, undefined when one of its checks failed. */
  async commit(fill: (atomic: Deno.AtomicOperation) => void): Promise<string | undefined> {
    if (this.#unsure) await this.#settle();
    for (;;) {
      const attempt = ++this.#attempt;
      this.#unsure = true;
      const result = await this.#calls.call(() => {
        const atomic = this.#advance(attempt);
        fill(atomic);
        return atomic.commit();
      });
      if (result.ok) {
        this.#versionstamp = result.versionstamp;
        this.#unsure = false;
        return result.versionstamp;
      }
      const row = await this.#calls.call(() => this.#kv.get<number>(this.#key));
      const moved = row.versionstamp !== this.#versionstamp;
      this.#versionstamp = row.versionstamp;
      this.#unsure = false;
      // The answer to this very attempt was lost and it was repeated.
      if (row.value === attempt) return row.versionstamp!;
      if (!moved) return undefined;
    }
  }

  /** Takes the row of this writer away. */
  async close(): Promise<void> {
    await this.idle();
    if (this.#attempt === 0) return;
    await this.#calls.call(() => this.#kv.delete(this.#key));
  }

  /** Makes sure that no earlier attempt can be applied from now on. */
  async #settle(): Promise<void> {
    const attempt = ++this.#attempt;
    const result = await this.#calls.call(() => this.#advance(attempt).commit());
    if (result.ok) this.#versionstamp = result.versionstamp;
    else {
      const row = await this.#calls.call(() => this.#kv.get<number>(this.#key));
      this.#versionstamp = row.versionstamp;
    }
    this.#unsure = false;
  }

  #advance(attempt: number): Deno.AtomicOperation {
    return this.#kv.atomic()
      .check({ key: this.#key, versionstamp: this.#versionstamp })
      .set(this.#key, attempt, { expireIn: EXPIRE_MS });
  }
}
