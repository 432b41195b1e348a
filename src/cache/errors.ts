/** A cache cannot be opened because another process, or another cache in this one, has it open. */
export class CacheHeldError extends Error {
  /** The name of the class. */
  override readonly name = "CacheHeldError";
  /** Who has it open, in words, as far as is known. */
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

/** The disk or the server did not accept a write, or did not answer. */
export class CacheStorageError extends Error {
  /** The name of the class. */
  override readonly name: string = "CacheStorageError";
  /** Whether a retry may succeed; no accepted write is lost meanwhile. */
  readonly retriable: boolean;

  /** Makes the error; `what` failed, and `cause` is the storage's error, or the reason in words. */
  constructor(what: string, cause: unknown, retriable: boolean) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`${what}: ${reason}`, cause instanceof Error ? { cause } : {});
    this.retriable = retriable;
  }
}

/** Data that is missing from a store, or was changed in it. */
export interface CacheDamage {
  /** How many pages are missing or changed; a page holds up to a few hundred entries. */
  readonly pages: number;
  /**
   * How many entries at most are missing, have an older value, or are back though they were deleted;
   * `Infinity` when that cannot be known.
   */
  readonly entries: number;
  /** The first 20 findings, in words. */
  readonly details: readonly string[];
}

/** Data in a cache is missing, or was changed on the disk. */
export class CacheDamagedError extends CacheStorageError {
  /** The name of the class. */
  override readonly name = "CacheDamagedError";
  /** The damage: which pages, how many entries, and the first findings. */
  readonly damage: CacheDamage;

  /** Makes the error; `what` failed, `damage` is the reason, and `advice` says what to do about it. */
  constructor(what: string, damage: CacheDamage, advice: string) {
    const { pages, entries, details } = damage;
    const most = entries === Infinity ? "an unknown number of" : `up to ${entries}`;
    const of = pages === 0 ? "" : `${pages} ${pages === 1 ? "page" : "pages"} with `;
    const lost = `damaged: ${of}${most} ${entries === 1 ? "entry" : "entries"}`;
    super(what, `${lost} (${details.join("; ")}); ${advice}`, false);
    this.damage = damage;
  }
}
