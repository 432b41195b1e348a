/** A checkpoint, as those that depend on its dependent see it. */
export interface ChainLink {
  /** Its name. */
  readonly name: string;
  /** The source that it pauses and corrects. */
  readonly dependent: object;
  /** The sources that it depends on. */
  readonly sources: readonly object[];
  /** The time before which the results of its dependent will not be corrected any more. */
  readonly settled: number;
  /** `settled` of one of its sources has changed. */
  upstreamSettled(): void;
}

const byDependent = new WeakMap<object, Set<ChainLink>>();
const bySource = new WeakMap<object, Set<ChainLink>>();

/**
 * Adds a checkpoint to the chain.
 *
 * @throws {TypeError} If its dependent depends on itself through others: all would wait for each other. If
 * the dependent has another one of that name: each would end the other's pauses.
 */
export function addToChain(link: ChainLink): void {
  const path = pathTo(link.dependent, link.sources, [link.name]);
  if (path !== undefined) {
    throw new TypeError(
      `Cannot make checkpoint ${JSON.stringify(link.name)}: its dependent depends on itself, ` +
        `through ${path.map((name) => JSON.stringify(name)).join(" and ")}`,
    );
  }
  const beside = byDependent.getOrInsertComputed(link.dependent, () => new Set());
  for (const { name } of beside) {
    if (name !== link.name) continue;
    throw new TypeError(
      `Cannot make checkpoint ${JSON.stringify(name)}: its dependent has one of that name`,
    );
  }
  beside.add(link);
  for (const source of link.sources) {
    bySource.getOrInsertComputed(source, () => new Set()).add(link);
  }
}

/** Returns the time before which the messages of `source` will not be corrected any more. */
export function settledTime(source: object): number {
  let settled = Infinity;
  for (const link of byDependent.get(source) ?? []) settled = Math.min(settled, link.settled);
  return settled;
}

/** Tells the checkpoints that depend on `dependent` that its `settled` has changed. */
export function tellDownstream(dependent: object): void {
  for (const link of bySource.get(dependent) ?? []) link.upstreamSettled();
}

/** Returns the names of the checkpoints through which one of `sources` leads back to `goal`. */
function pathTo(goal: object, sources: readonly object[], path: string[]): string[] | undefined {
  for (const source of sources) {
    if (source === goal) return path;
    for (const link of byDependent.get(source) ?? []) {
      const found = pathTo(goal, link.sources, [...path, link.name]);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}
