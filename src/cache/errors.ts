/** A cache cannot be opened because another process, or another cache of this one, has it open. */
export class CacheHeldError extends Error {
  /** The name of the class. */
  override readonly name = "CacheHeldError";
  /** Who has it open, in words, as far as it is known. */
  readonly holder: string;

  /** Names the store and its holder. */
  constructor(path: string, holder: string) {
    super(
      `Cannot open cache ${JSON.stringify(path)}: held by ${holder}; ` +
        "close it there, or open it with { shared: true } in every process",
    );
    this.holder = holder;
  }
}

/** The disk or the server did not take a write, or did not answer. */
export class CacheStorageError extends Error {
  /** The name of the class. */
  override readonly name: string = "CacheStorageError";
  /** Whether the same may succeed later: nothing that was accepted is lost meanwhile. */
  readonly retriable: boolean;

  /** Says what could not be done; `cause` is what the storage threw, or the reason in words. */
  constructor(what: string, cause: unknown, retriable: boolean) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`${what}: ${reason}`, cause instanceof Error ? { cause } : {});
    this.retriable = retriable;
  }
}

/** What is not in a store any more as it was written. */
export interface CacheDamage {
  /** How many pages are missing or not as they were written; a page has up to some hundred entries. */
  readonly pages: number;
  /**
   * How many entries at most are missing, have an older value, or are there though they were deleted;
   * `Infinity` when that cannot be known.
   */
  readonly entries: number;
  /** What was found, in words: the first 20 findings. */
  readonly details: readonly string[];
}

/** What was written to a cache is missing or was changed on the disk. */
export class CacheDamagedError extends CacheStorageError {
  /** The name of the class. */
  override readonly name = "CacheDamagedError";
  /** What is damaged, and how much. */
  readonly damage: CacheDamage;

  /** Says what could not be done, what is damaged, and what can be done about it. */
  constructor(what: string, damage: CacheDamage, advice: string) {
    const { pages, entries, details } = damage;
    const most = entries === Infinity ? "no one knows how many" : `up to ${entries}`;
    const of = pages === 0 ? "" : `${pages} ${pages === 1 ? "page" : "pages"} with `;
    const lost = `damaged: ${of}${most} ${entries === 1 ? "entry" : "entries"}`;
    super(what, `${lost} (${details.join("; ")}); ${advice}`, false);
    this.damage = damage;
  }
}
