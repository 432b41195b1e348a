import type { Clock } from "../clock.ts";
import type { openState, StateStore } from "../flow/state/state.ts";
import type { Duration } from "../duration.ts";
import {
  anything,
  callback,
  clock,
  duration,
  flag,
  hasMethods,
  must,
  oneOf,
  type Read,
  readOptions,
  type Rules,
} from "../options.ts";
import type { Source } from "../flow/source/source.ts";
import type { Dependency, DependencyCallback } from "./dependency.ts";
import type { PartName } from "./dependency_parts.ts";
import type { Marker } from "./marker.ts";

/** Where a checkpoint is kept: a Cache, or another store of plain data by key. */
export interface CheckpointStore {
  /** Returns the value of a key; undefined when there is none. */
  get(key: string): Promise<unknown>;
  /** Writes a value, which lives for `ttl` milliseconds; with `durable`, resolves when it is on disk. */
  set(
    key: string,
    value: unknown,
    options?: { durable?: boolean; ttl?: number },
  ): Promise<unknown>;
  /** True while it holds the exact state of flows: then it is written to disk together with that. */
  readonly driven?: boolean;
  /**
   * Returns the store behind it, where that can hold exact state.
   *
   * @internal
   */
  [openState]?(): StateStore;
}

/** Where a checkpoint keeps partitions that move between processes: a Cache that all of them have open. */
export interface PartitionStore {
  /**
   * Changes the value of a key atomically, also between processes. If `change` throws, the error is passed on and
   * nothing is written.
   */
  update(key: string, change: (value: unknown) => unknown): Promise<unknown>;
  /** Resolves when everything written so far is on disk. */
  flush(): Promise<void>;
}

/** The events of a checkpoint, for `onStatus`. */
export type CheckpointEvent =
  /**
   * A dependency went down; `downtimeMs` is in event time, when a pulse showed it. `lagging` are the slowest
   * parts, where it has several.
   */
  | {
    readonly type: "down";
    readonly dependency: string;
    readonly downtimeMs: number | undefined;
    readonly lagging?: readonly PartName[];
  }
  /**
   * `messages` messages of a dependency are done, and no heartbeat has ever come: told when it goes down, and when
   * it ends. Does its handler call {@linkcode Checkpoint.heartbeat}, for the source that it reads?
   */
  | { readonly type: "unheard"; readonly dependency: string; readonly messages: number }
  /** A dependency has caught up. */
  | { readonly type: "recovered"; readonly dependency: string }
  /** The dependent resumes although a dependency is still down: `maxPause` have passed. */
  | { readonly type: "pause_expired"; readonly dependencies: readonly string[] }
  /** A correction: messages are reprocessed from these positions on. */
  | {
    readonly type: "correcting";
    readonly from: Readonly<Record<number, number>>;
    readonly dependencies: readonly string[];
  }
  /** Messages with stale results have left the log, those from `from` up to, but not including, `to`. */
  | {
    readonly type: "lost";
    readonly from: Readonly<Record<number, number>>;
    readonly to: Readonly<Record<number, number>>;
  }
  /**
   * Mode `"wait"` holds a message of `partition` for the time `marker`, which the frontier of `dependency`
   * has not passed yet: sent after 3 s, and again each time the wait has doubled. `lagging` are the partitions, or
   * other parts, that have had no later message. Where the dependency has parts and none lags, its messages are still
   * in flight, or it may be in a correction itself.
   */
  | {
    readonly type: "waiting";
    readonly dependency: string;
    readonly lagging: readonly PartName[];
    readonly partition: number | undefined;
    readonly marker: Marker;
    readonly waitedMs: number;
  }
  /**
   * A dependency message came after the frontier had passed it: final results that it should have affected are not
   * corrected.
   */
  | { readonly type: "late"; readonly dependency: string; readonly marker: Marker }
  /** A marker was further ahead of the clock than `maxAhead`, and was ignored. */
  | {
    readonly type: "ahead";
    readonly dependency: string | undefined;
    readonly marker: Marker;
  };

/**
 * Options of a {@linkcode Checkpoint}.
 *
 * @typeParam M The messages of the dependent.
 */
export interface CheckpointOptions<M = unknown> {
  /** The stream that depends on the others: the source of the flow whose handler calls `checkPulse`. */
  dependent: Source<M>;
  /** The streams that it depends on. */
  dependencies: readonly Dependency[];
  /** Called when a dependency goes down: once in each outage. */
  downtimeCallback?: DependencyCallback<unknown> | undefined;
  /**
   * Called when no dependency is down any more, with the one that recovered last; the dependent is still paused, and
   * resumes once the callback has resolved.
   */
  recoveryCallback?: DependencyCallback<unknown> | undefined;
  /**
   * Where the checkpoint is kept; without it, the checkpoint is lost when the process ends. Where flows of the
   * dependent or of a dependency keep exact state (the option `state`) and `correct` is on, it must be their `Cache`,
   * or a `space()` of it: then state, positions and checkpoint always belong to one instant.
   *
   * The `ttl` of the cache does not apply to it, `maxBytes` does: it is rewritten at every commit, so it is
   * evicted only if that much is written after the last one. Where that can happen, give it a cache, or a `space()`,
   * with `maxBytes: Infinity`.
   */
  cache?: CheckpointStore | undefined;
  /**
   * A store that is open in all processes that share the partitions of the dependent: a `Cache` opened with
   * `{ shared: true }`, on a URL or on a `Deno.Kv`. It keeps a row for each partition, under
   * `<cacheKeyPrefix>_<name>_<partition>`, so the name must be the same in all of them; `cache` keeps the
   * rest, each process its own. It must have no `ttl`. Without it, partitions are kept in `cache`, and the
   * record of a partition does not move with it to another process.
   */
  partitions?: PartitionStore | undefined;
  /**
   * The prefix of its keys: the key in the cache is `<cacheKeyPrefix>_<name>_`.
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
   * Whether stale results are corrected: the dependent moves back to the first of them and reprocesses its messages
   * from there. This requires a dependent with positions: a Topic. No flow that gets its messages may hold some back
   * until others come: `batch()` needs a time there, and pipe functions and TransformStreams are refused.
   *
   * @default {false}
   */
  correct?: boolean | undefined;
  /**
   * With `correct` and no outage: how long stale results wait for the frontier to pass all results made so
   * far, by the clock, before they are corrected anyway.
   *
   * @default {30_000}
   */
  correctAfter?: Duration | undefined;
  /**
   * `"emit"` handles messages at once and corrects results later; `"wait"` holds each message back until
   * the frontier has passed its time, so that nothing stale is emitted. Mode `"emit"` ignores `time` and
   * `maxWait`, so that one options object works for both.
   *
   * @default {"emit"}
   */
  mode?: "emit" | "wait" | undefined;
  /** In mode `"wait"`: the event time of a message. */
  time?: ((message: M) => Marker) | undefined;
  /**
   * In mode `"wait"`: how long a message is held, by the clock. Then it is handled anyway, and the dependencies that
   * it waited for count as down.
   *
   * @default {Infinity}
   */
  maxWait?: Duration | undefined;
  /**
   * How long the dependent stays paused, by the clock, when a dependency does not come back. Then it resumes, and its
   * results are corrected once the dependency has recovered.
   *
   * @default {Infinity}
   */
  maxPause?: Duration | undefined;
  /**
   * How far a marker may be ahead of the clock. A marker beyond that is reported and ignored: a single message
   * stamped 2099 must not pause the dependent or make every result final.
   *
   * @default {{ days: 1 }}
   */
  maxAhead?: Duration | undefined;
  /** Called with the events of the checkpoint. */
  onStatus?: ((event: CheckpointEvent) => void) | undefined;
  /**
   * Time and timers.
   *
   * @default {"the app's while it streams, else the machine's"}
   */
  clock?: Clock | undefined;
}

const RULES = {
  dependent: anything,
  dependencies: anything,
  downtimeCallback: callback,
  recoveryCallback: callback,
  cache: must(
    "a store with get() and set(), such as a Cache",
    (value) => hasMethods(value, "get", "set"),
  ),
  partitions: must(
    "a store with update() and flush(), such as a shared Cache",
    (value) => hasMethods(value, "update", "flush"),
  ),
  cacheKeyPrefix: must("a string", (value) => typeof value === "string"),
  pauseDependent: flag,
  correct: flag,
  correctAfter: duration(),
  mode: oneOf("emit", "wait"),
  time: callback,
  maxWait: duration(),
  maxPause: duration(),
  maxAhead: duration(),
  onStatus: callback,
  clock,
} as const satisfies Rules<CheckpointOptions>;

const DEFAULTS = {
  cacheKeyPrefix: "_",
  pauseDependent: true,
  correct: false,
  correctAfter: 30_000,
  mode: "emit",
  maxWait: Infinity,
  maxPause: Infinity,
  maxAhead: 86_400_000,
} as const;

/** The options with their defaults; messages are not typed inside. */
export type CheckpointSettings =
  & Omit<Read<CheckpointOptions, typeof RULES>, keyof typeof DEFAULTS>
  & {
    readonly [Name in keyof typeof DEFAULTS]: NonNullable<
      Read<CheckpointOptions, typeof RULES>[Name]
    >;
  };

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
  const owner = `checkpoint ${JSON.stringify(name)}`;
  const settings = { ...DEFAULTS, ...readOptions(owner, options, RULES) } as CheckpointSettings;
  const { cache, partitions, mode, time } = settings;
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
  return settings;
}
