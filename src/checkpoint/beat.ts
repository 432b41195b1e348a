import type { Dependency } from "./dependency.ts";
import type { PartName } from "./parts.ts";

/** One heartbeat, or sign of life, of a dependency. */
export interface Beat {
  readonly dependency: Dependency;
  readonly time: number;
  /** The parts that it comes from. */
  readonly parts: readonly PartName[];
  /** The position of its message; -1 without. */
  readonly position: number;
  /** True when a message belongs to it, which may make results wrong. */
  readonly isMessage: boolean;
}
