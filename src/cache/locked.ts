/** Whether an error of Deno KV says that another connection holds the file for a moment. */
export function isLocked(error: unknown): boolean {
  return error instanceof Error && /database is (locked|busy)/.test(error.message);
}
