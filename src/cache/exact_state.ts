import type { Space } from "./space.ts";

/**
 * What lets a store hold the positions of the flows that write to it, so that a crash leaves state and
 * positions of the same instant. Used by the barrier; no part of the public surface.
 */
export interface ExactState {
  /** Rows of the store that are not listed, counted or dropped: the positions. */
  readonly positions: Space;
  /**
   * Lets `due` decide when the buffers become a group: it is told when one is wanted and answers by `cut()`.
   * Returns what ends that.
   */
  drive(due: () => void): () => void;
  /** Takes everything that is buffered, now, in this very step, as one group that is written next. */
  cut(): void;
}

const states = new WeakMap<object, ExactState>();

/** Remembers how the store behind a cache is driven. */
export function setExactState(cache: object, state: ExactState): void {
  states.set(cache, state);
}

/** Returns how the store behind a cache is driven; undefined where its writes go to it one by one. */
export function exactStateOf(cache: object): ExactState | undefined {
  return states.get(cache);
}
