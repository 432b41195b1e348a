/** Whether an error of Deno KV says that another connection holds the file for a moment. */
export function isLocked(error: unknown): boolean {
  return error instanceof Error && /database is (locked|busy)/.test(error.message);
}

/** Whether what Deno KV did not do may succeed later: the file is locked, the disk full, failing or read-only. */
export function isTransient(error: unknown): boolean {
  return isLocked(error) ||
    error instanceof Error &&
      /disk is full|disk I\/O error|readonly database/.test(error.message);
}
