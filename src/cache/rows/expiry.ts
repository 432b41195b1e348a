/** A hundred years: Deno KV refuses a moment that is too far away. */
const MAX_EXPIRE_MS = 100 * 365 * 24 * 3_600_000;

/** Tells Deno KV when it may delete a row: from `expires` on, which is 0 for never. */
export function toExpiry(expires: number, now: number): { expireIn?: number } {
  if (expires === 0) return {};
  return { expireIn: Math.min(Math.max(1, expires - now), MAX_EXPIRE_MS) };
}
