/** How many keys the messages have; what is counted stays this large. */
export const KEYS = 5_000;

/** How many partitions both topics have. */
export const PARTITIONS = 4;

const FILLER = " ".padEnd(64, "·");

/** A message: the n-th of its key, with so many keys. Each can be computed from its number, so the truth is one number. */
export function messageOf(
  number: number,
  keys = KEYS,
): { key: string; value: string; partition: number } {
  const index = number % keys;
  const n = Math.floor(number / keys) + 1;
  return { key: `key ${index}`, value: `${n}${FILLER}`, partition: index % PARTITIONS };
}

/** Returns how many of the first `sent` messages have each key. */
export function truth(sent: number, keys = KEYS): Map<string, number> {
  const counts = new Map<string, number>();
  for (let index = 0; index < Math.min(sent, keys); index++) {
    counts.set(`key ${index}`, Math.ceil((sent - index) / keys));
  }
  return counts;
}

/** What the program makes of a message: which of its key it is, and how many of the key it has counted. */
export function resultOf(value: string, count: number): string {
  return `${parseInt(value)} ${count}`;
}

/** Reads a result. */
export function parseResult(text: string): { n: number; count: number } {
  const [n, count] = text.split(" ").map(Number) as [number, number];
  return { n, count };
}
