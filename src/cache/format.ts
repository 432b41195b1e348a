import { CacheStorageError } from "./errors.ts";

/** The first part of every row of the library. */
export const ROOT = "slipstream";
/** The version of what is on disk. */
export const FORMAT = 1;
/** The row that says what the others mean. */
export const STATE_KEY: Deno.KvKey = [ROOT, "state"];

/** Throws unless a state row, or its absence, can be gone on from. */
export function assertReadable(
  value: { format: number; layout: string } | null,
  layout: "resident" | "rows",
  path: string,
): void {
  if (value === null) return;
  const what = `Cannot open cache ${JSON.stringify(path)}`;
  if (!Number.isInteger(value.format)) {
    throw new CacheStorageError(what, "corrupt state row", false);
  }
  if (value.format > FORMAT) {
    const cause = `it has format ${value.format}, this version reads up to ${FORMAT}: upgrade`;
    throw new CacheStorageError(what, cause, false);
  }
  if (value.layout === layout) return;
  const cause = layout === "rows"
    ? "it was made without { shared: true }: open it without, or use another path"
    : "it was made with { shared: true }: open it with that, or use another path";
  throw new CacheStorageError(what, cause, false);
}
