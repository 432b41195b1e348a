import { Cache, replayable } from "../../mod.ts";

/** A message of {@linkcode numbers}. */
export interface Item {
  readonly n: number;
  readonly next: number;
}

/** A source of the numbers from 1 to `end`, given after `go`, that notes from where it was read. */
export function numbers(end: number, name = "numbers", go?: Promise<void>) {
  const begins: (number | undefined)[] = [];
  const source = replayable<Item, number>({
    name,
    read: async function* (position) {
      begins.push(position);
      await go;
      for (let n = (position ?? 0) + 1; n <= end; n++) yield { n, next: n };
    },
    position: ({ next }) => next,
  });
  return { source, begins };
}

/** Opens a cache in a folder that can hold the state of flows. */
export function openState(folder: string): Promise<Cache<number>> {
  return Cache.open<number>(`${folder}/state`, { maxBytes: Infinity });
}

/** Adds `n` to an entry. */
export async function add(cache: Cache<number>, key: string, n: number): Promise<void> {
  await cache.update(key, (sum = 0) => sum + n);
}
