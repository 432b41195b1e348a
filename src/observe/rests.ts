import type { AppSnapshot, PartitionSnapshot, SourceSnapshot } from "../snapshot.ts";
import type { Topology } from "../topology.ts";

/** Why sources and flows of an app may stand still. */
export class Rests {
  readonly #snapshot: AppSnapshot;
  /** The flows and sources that wait for a full Proxy which is paused. */
  readonly #downstream: ReadonlySet<string>;

  /** Finds out what waits for what. */
  constructor(snapshot: AppSnapshot, topology: Topology) {
    this.#snapshot = snapshot;
    this.#downstream = pausedDownstream(snapshot, topology);
  }

  /** Why a source is not read; undefined where it should be. */
  ofSource({ id, pausedFor }: SourceSnapshot): string | undefined {
    if (pausedFor.length > 0) return `paused: ${pausedFor.join(", ")}`;
    return this.#downstream.has(id) ? "what its flows write to is paused" : undefined;
  }

  /** Why a flow makes no progress; undefined where it should. */
  ofFlow(id: string): string | undefined {
    return this.#downstream.has(id) ? "what it writes to is paused" : undefined;
  }

  /** Why a partition of a source that is read makes no progress; undefined where it should. */
  ofPartition({ partition, lag, heldFor }: PartitionSnapshot, source: string): string | undefined {
    if (heldFor.length > 0) return `held: ${heldFor.join(", ")}`;
    for (const { dependent, checkpoint, held } of this.#snapshot.checkpoints) {
      if (dependent !== source) continue;
      const found = held.find((each) => (each.partition ?? 0) === partition);
      if (found !== undefined) {
        return `held by checkpoint ${checkpoint}, for ${found.waitsFor.join(", ")}`;
      }
    }
    return lag === 0 ? "has nothing to do" : undefined;
  }
}

/** The flows and sources that stand still since a full Proxy, which is paused, is what they write to. */
function pausedDownstream({ sources, flows }: AppSnapshot, { edges }: Topology): Set<string> {
  const paused = new Set(
    sources.filter(({ pausedFor }) => pausedFor.length > 0).map(({ id }) => id),
  );
  const excused = new Set<string>();
  for (let before = -1; before !== excused.size;) {
    before = excused.size;
    for (const { id, sources: reads } of flows) {
      const full = sources.some(({ id: proxy, queue }) =>
        queue !== undefined && queue.size >= queue.bound &&
        (paused.has(proxy) || excused.has(proxy)) &&
        edges.some((edge) => edge.from === id && edge.to === proxy)
      );
      if (!full) continue;
      excused.add(id);
      for (const source of reads) excused.add(source);
    }
  }
  return excused;
}
