import type { Clock } from "../clock.ts";
import { checkOptions } from "../options.ts";
import type { Source } from "../types.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Dependency } from "./dependency.ts";
import { checkChoice, checkDurations, checkFunctions } from "./dependency_options.ts";
import type { CheckpointEvent } from "./events.ts";
import type { Marker } from "./marker.ts";
import type { CheckpointStore, PartitionStore } from "./record.ts";

/**
 * What a {@linkcode Checkpoint} is made of. Durations are milliseconds.
 *
 * @typeParam M The messages of the dependent.
 */
export interface CheckpointOptions<M = unknown> {
  /** The stream that depends on the others: the source of the flow whose handler calls `checkPulse`. */
  dependent: Source<M>;
  /** The streams that it depends on. */
  dependencies: readonly Dependency[];
  /** Called when a dependency goes down: once in each outage. */
  downtimeCallback?: ((checkpoint: Checkpoint, dependency: Dependency) => unknown) | undefined;
  /**
   * Called when no dependency is down any more, with the one that recovered last; the dependent is still
   * paused, and goes on when what this returns has resolved.
   */
  recoveryCallback?: ((checkpoint: Checkpoint, dependency: Dependency) => unknown) | undefined;
  /**
   * Where the checkpoint is kept; without it, it is forgotten with the process. Where flows of the dependent
   * or of a dependency keep exact state (the option `state`) and `correct` is on, it is their `Cache`, or a
   * `space()` of it: then state, positions and checkpoint are always of one instant.
   *
   * The `ttlMs` of the cache does not count for it, `maxBytes` does: it is written anew at every barrier, so
   * it is dropped only where that much is written after the last one. Where that may be, give it a cache, or
   * a `space()`, with `maxBytes: Infinity`.
   */
  cache?: CheckpointStore | undefined;
  /**
   * A store that all processes have open which share the partitions of the dependent: a `Cache` opened with
   * `{ shared: true }`, on a URL or on a `Deno.Kv`. It keeps an entry for each partition, under
   * `<cacheKeyPrefix>_<name>_<partition>`, so the name must be the same in all of them; `cache` keeps the
   * rest, each process its own. It must have no `ttlMs`. Without it partitions are kept in `cache`, and what
   * is known of one does not go with it to another process.
   */
  partitions?: PartitionStore | undefined;
  /**
   * What the keys of its entries begin with: that in the cache is `<cacheKeyPrefix>_<name>_`.
   *
   * @default {"_"}
   */
  cacheKeyPrefix?: string | undefined;
  /**
   * Whether the dependent is paused while a dependency is down.
   *
   * @default {true}
   */
  pauseDependent?: boolean | undefined;
  /**
   * Whether messages whose results were made from stale data are handled again, by moving the dependent
   * back to the first of them. It needs a dependent with positions: a Topic. No flow that gets its messages
   * may hold some back until others come: `batch()` needs a time there, and pipe functions and
   * TransformStreams are refused.
   *
   * @default {false}
   */
  correct?: boolean | undefined;
  /**
   * With `correct` and no outage: how long results that are known to be wrong wait for the frontier to pass
   * all of them, by the clock, before they are made again in any case.
   *
   * @default {30000}
   */
  correctAfterMs?: number | undefined;
  /**
   * `"emit"` handles messages at once and corrects results later; `"wait"` holds each message back until
   * the frontier has passed its time, so that nothing stale is emitted. `time` and `waitMs` mean nothing in
   * mode `"emit"`, so that one object of options serves both.
   *
   * @default {"emit"}
   */
  mode?: "emit" | "wait" | undefined;
  /** In mode `"wait"`: the event time of a message. */
  time?: ((message: M) => Marker) | undefined;
  /**
   * In mode `"wait"`: how long a message is held, by the clock, before it is handled nevertheless, and what
   * it waited for counts as down.
   *
   * @default {Infinity}
   */
  waitMs?: number | undefined;
  /**
   * How long the dependent stays paused, by the clock, when a dependency does not come back. Then it goes
   * on, and its results are corrected once the dependency has.
   *
   * @default {Infinity}
   */
  maxPauseMs?: number | undefined;
  /**
   * How far a marker may be ahead of the clock. One that is farther is reported and ignored: one message
   * stamped 2099 must not pause the world, nor make everything final.
   *
   * @default {86400000}
   */
  maxAheadMs?: number | undefined;
  /** Told what happens. */
  onStatus?: ((event: CheckpointEvent) => void) | undefined;
  /**
   * Time and timers.
   *
   * @default {"the app's while it streams, else the machine's"}
   */
  clock?: Clock | undefined;
}

const NAMES = [
  "dependent",
  "dependencies",
  "downtimeCallback",
  "recoveryCallback",
  "cache",
  "partitions",
  "cacheKeyPrefix",
  "pauseDependent",
  "correct",
  "correctAfterMs",
  "mode",
  "time",
  "waitMs",
  "maxPauseMs",
  "maxAheadMs",
  "onStatus",
  "clock",
] as const;

/** The options with their defaults; messages are not typed inside. */
export interface CheckpointSettings extends CheckpointOptions {
  readonly cacheKeyPrefix: string;
  readonly pauseDependent: boolean;
  readonly correct: boolean;
  readonly mode: "emit" | "wait";
  readonly correctAfterMs: number;
  readonly waitMs: number;
  readonly maxPauseMs: number;
  readonly maxAheadMs: number;
}

/**
 * Checks the options of a checkpoint.
 *
 * @throws {TypeError} If one is unknown, has the wrong shape, or contradicts another.
 * @throws {RangeError} If a duration is out of bounds.
 */
export function toCheckpointSettings<M>(
  name: string,
  options: CheckpointOptions<M>,
): CheckpointSettings {
  checkOptions("Checkpoint", options, NAMES);
  const {
    cacheKeyPrefix = "_",
    pauseDependent = true,
    correct = false,
    correctAfterMs = 30_000,
    mode = "emit",
    waitMs = Infinity,
    maxPauseMs = Infinity,
    maxAheadMs = 86_400_000,
  } = options;
  const { downtimeCallback, recoveryCallback, time, onStatus, cache, partitions } = options;
  const owner = `checkpoint ${JSON.stringify(name)}`;
  checkDurations(owner, { correctAfterMs, waitMs, maxPauseMs, maxAheadMs });
  checkFunctions(owner, { downtimeCallback, recoveryCallback, time, onStatus });
  checkChoice(owner, "mode", mode, ["emit", "wait"]);
  for (const [option, value] of Object.entries({ pauseDependent, correct })) {
    if (typeof value === "boolean") continue;
    throw new TypeError(`Cannot make ${owner} as ${option} must be a boolean: got ${typeof value}`);
  }
  if (typeof cacheKeyPrefix !== "string") {
    throw new TypeError(`Cannot make ${owner} as cacheKeyPrefix must be a string`);
  }
  if (
    cache !== undefined && (typeof cache?.get !== "function" || typeof cache.set !== "function")
  ) {
    throw new TypeError(`Cannot make ${owner} as cache must have get() and set(): open a Cache`);
  }
  if (
    partitions !== undefined &&
    (typeof partitions?.update !== "function" || typeof partitions.flush !== "function")
  ) {
    throw new TypeError(
      `Cannot make ${owner} as partitions must have update() and flush(): open a shared Cache`,
    );
  }
  if (partitions !== undefined && partitions === cache as unknown) {
    throw new TypeError(
      `Cannot make ${owner} with one store as cache and partitions: partitions is shared with other ` +
        "processes, cache is of this one",
    );
  }
  if (mode === "wait" && time === undefined) {
    throw new TypeError(
      `Cannot make ${owner} in mode "wait" without time: say what the event time of a message is`,
    );
  }
  return {
    ...options,
    cacheKeyPrefix,
    pauseDependent,
    correct,
    correctAfterMs,
    mode: mode as "emit" | "wait",
    waitMs,
    maxPauseMs,
    maxAheadMs,
  } as CheckpointSettings;
}
