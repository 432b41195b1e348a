/** How much a cache keeps, and for how long. */
export interface Retention {
  /** Estimated bytes at most. */
  readonly maxBytes: number;
  /** How long an entry lives, in milliseconds. */
  readonly ttl: number;
}

/**
 * Throws unless a cache keeps everything: what it drops by size or time would be dropped at other moments
 * when messages are repeated.
 *
 * @param name The name of its space.
 */
export function assertExact(name: string, { maxBytes, ttl }: Retention): void {
  const [limit, value] = ttl < Infinity ? ["ttl", ttl] : ["maxBytes", maxBytes];
  if (value === Infinity) return;
  const space = name === "" ? "the cache" : `space "${name}"`;
  throw new TypeError(
    `Cannot keep exact state in a store while ${space} has ${limit} ${value}: its content would ` +
      `depend on timing; open it with ${limit}: Infinity`,
  );
}
