import type { Marker } from "./marker.ts";
import type { PartName } from "./parts.ts";

/** What a checkpoint tells whoever listens (`onStatus`). */
export type CheckpointEvent =
  /**
   * A dependency went down; `downtimeMs` is by event time, where a pulse found it. `lagging` are the parts
   * that are behind, where it has several.
   */
  | {
    readonly type: "down";
    readonly dependency: string;
    readonly downtimeMs: number | undefined;
    readonly lagging?: readonly PartName[];
  }
  /** A dependency has caught up. */
  | { readonly type: "recovered"; readonly dependency: string }
  /** The dependent goes on although a dependency is still down: `maxPauseMs` are over. */
  | { readonly type: "pause_expired"; readonly dependencies: readonly string[] }
  /** Messages are handled again, from these positions on. */
  | {
    readonly type: "correcting";
    readonly from: Readonly<Record<number, number>>;
    readonly dependencies: readonly string[];
  }
  /** Messages whose results are wrong have left the log, from these positions on up to before those. */
  | {
    readonly type: "lost";
    readonly from: Readonly<Record<number, number>>;
    readonly to: Readonly<Record<number, number>>;
  }
  /**
   * Mode `"wait"` holds a message of `partition`, at `marker`, since `dependency` is not known that far yet:
   * told after 3 s, and again whenever it has taken twice as long. `lagging` are the partitions, or other
   * parts, of which nothing later was heard. Where it has parts and none lags, what was heard is still being
   * handled, or may be corrected.
   */
  | {
    readonly type: "waiting";
    readonly dependency: string;
    readonly lagging: readonly PartName[];
    readonly partition: number | undefined;
    readonly marker: Marker;
    readonly waitedMs: number;
  }
  /** A dependency message came after the frontier had passed it: what it makes wrong is not covered. */
  | { readonly type: "late"; readonly dependency: string; readonly marker: Marker }
  /** A marker is farther ahead of the clock than `maxAheadMs`, and was ignored. */
  | {
    readonly type: "ahead";
    readonly dependency: string | undefined;
    readonly marker: Marker;
  };
