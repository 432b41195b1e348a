/** How many names are kept, and how long they may be. */
const MOST_NAMES = 1_000, MOST_CHARACTERS = 100;

const names = new Map<string, Uint8Array>();
const encoder = new TextEncoder();

/**
 * Returns the bytes of the name of a header. Names are few and come again, so some are kept.
 *
 * @throws {TypeError} If UTF-8 cannot hold it.
 */
export function headerName(name: string): Uint8Array {
  const kept = names.get(name);
  if (kept !== undefined) return kept;
  if (!name.isWellFormed()) {
    throw new TypeError(
      `Cannot write the name ${
        JSON.stringify(name)
      } of a header: it contains half of a surrogate pair`,
    );
  }
  const bytes = encoder.encode(name);
  if (name.length <= MOST_CHARACTERS) {
    if (names.size >= MOST_NAMES) names.clear();
    names.set(name, bytes);
  }
  return bytes;
}
