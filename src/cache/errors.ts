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
  override readonly name = "CacheStorageError";
  /** Whether the same may succeed later: nothing that was accepted is lost meanwhile. */
  readonly retriable: boolean;

  /** Says what could not be done; `cause` is what the storage threw. */
  constructor(what: string, cause: unknown, retriable: boolean) {
    super(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.retriable = retriable;
  }
}
