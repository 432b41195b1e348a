import { isSource } from "../flow/source/adapters.ts";
import { gateOf } from "../flow/source/gate.ts";
import type { Duration } from "../duration.ts";
import { callback, duration, must, oneOf, readOptions, type Rules } from "../options.ts";
import type { Source } from "../flow/source/source.ts";
import { DependencyFrontier } from "./dependency_frontier.ts";
import type { IdlePartitions, PartName } from "./dependency_parts.ts";
import type { EventTimes, Marker } from "./marker.ts";

/** Options of {@linkcode Checkpoint.heartbeat}. */
export interface HeartbeatOptions {
  /** The name of the dependency; needed when there are several. */
  dependency?: string | undefined;
  /**
   * The part of the dependency that it comes from.
   *
   * @default {"the partition of the message in the handler; outside of handlers, a keep-alive is for all"}
   */
  part?: PartName | undefined;
}

/** How far along a dependency is, compared with its dependent. */
export interface DependencyStatus {
  /** True while the dependency is down, and has not caught up with the dependent yet. */
  readonly isLate: boolean;
  /** The marker of the last pulse. */
  readonly dependentMarker: Marker | undefined;
  /** The marker of the dependency. */
  readonly dependencyMarker: Marker | undefined;
}

/** A {@linkcode Checkpoint}, as passed to callbacks. */
export interface CheckpointView {
  /** Its name. */
  readonly name: string;
  /** The stream that depends on the others. */
  readonly dependent: Source<unknown>;
  /** The streams that it depends on, by name. */
  readonly dependencies: ReadonlyMap<string, Dependency>;
  /** The merged state of all pulses. */
  readonly state: Readonly<Record<string, unknown>>;
  /** The marker of the last pulse. */
  readonly stateMarker: Marker | undefined;
  /** The position of the first stale result, by partition. */
  readonly staleState: Readonly<Record<number, number>>;
  /** Returns a dependency. */
  dependency(name: string): Dependency;
  /** Reports that a dependency has a message for the time of `marker`. */
  heartbeat(marker: Marker, options?: HeartbeatOptions): Promise<DependencyStatus>;
  /** Reports that a dependency is complete up to the time of `marker`, without a message. */
  keepAlive(marker: Marker, options?: HeartbeatOptions): Promise<DependencyStatus>;
  /** Reports that the dependent has a message for the time of `marker`. */
  checkPulse(marker: Marker, state?: Record<string, unknown>): Promise<number | undefined>;
}

/**
 * A callback that gets a checkpoint and one of its dependencies; a function of a {@linkcode Checkpoint} and a
 * {@linkcode Dependency} also fits.
 *
 * @typeParam R What it returns.
 */
// Parameters of methods, unlike those of functions, may be of a narrower type: here of Checkpoint itself.
export type DependencyCallback<R> = {
  call(checkpoint: CheckpointView, dependency: Dependency): R;
}["call"];

/** Options of a {@linkcode Dependency}. */
export interface DependencyOptions {
  /**
   * How far a pulse may be ahead of the last heartbeat, in event time, before the dependency is down.
   *
   * @default {{ minutes: 10 }}
   */
  downtimeThreshold?: Duration | undefined;
  /**
   * Called at every pulse; returns for how many milliseconds the dependency has been down, or undefined when it is not.
   *
   * @default {"compares the last marker with the pulse's, see downtimeThreshold"}
   */
  downtimeCheck?: DependencyCallback<number | undefined> | undefined;
  /**
   * Returns whether a dependency that was down has caught up. With `correct` it is called once the frontier
   * has passed every pulse; without, it alone decides. It is called twice for each heartbeat: for the result of
   * `heartbeat()`, and once the message is stored; so it must have no side effects.
   *
   * @default {"the frontier has passed every pulse"}
   */
  recoveryCheck?: DependencyCallback<boolean> | undefined;
  /**
   * How far a message may be behind the latest one of its part, in event time. The frontier stays that far
   * behind.
   *
   * @default {0}
   */
  outOfOrderness?: Duration | undefined;
  /**
   * After how long without a heartbeat, by the clock, the dependency is down, even when no pulse shows it.
   * Time in which its source is paused does not count.
   *
   * @default {Infinity}
   */
  downtimeAfter?: Duration | undefined;
  /**
   * What the end of the source means: the dependency is complete, or it is down.
   *
   * @default {"final"}
   */
  onEnd?: "final" | "down" | undefined;
  /**
   * The parts whose heartbeats are tracked separately: each holds the frontier until its first heartbeat. A Topic
   * supplies its partitions; a part that is not named here counts from its first heartbeat on.
   */
  parts?: Iterable<PartName> | undefined;
  /**
   * Whether a partition that has been read to its end holds the frontier (`"hold"`: a message for an early
   * time may still come), or is passed over until it has a message (`"pass"`).
   *
   * @default {"hold"}
   */
  idleParts?: IdlePartitions | undefined;
}

/** What a {@linkcode Dependency} has for its checkpoint. */
export const internals: unique symbol = Symbol("slipstream.dependency");

/**
 * A stream that another one depends on, as a {@linkcode Checkpoint} sees it.
 *
 * Its name identifies it in the stored checkpoint: do not change it later.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Dependency } from "@slipstream/slipstream";
 *
 * const weather = new Dependency("weather", ["🌞", "⛅"]);
 * assertEquals(String(weather), '{"checkpointState":null,"checkpointMarker":null}');
 * ```
 */
export class Dependency {
  /** Its name, unique in its checkpoint. */
  readonly name: string;
  /** The stream: the source of the flow whose handler calls `heartbeat`. */
  readonly dependency: Source<unknown>;
  /** @internal */
  readonly [internals]: DependencyFrontier;
  /** @internal */
  readonly settings: DependencySettings;
  /** @internal Set by the checkpoint that it belongs to. */
  times: EventTimes | undefined;

  /**
   * Makes a dependency, for one checkpoint.
   *
   * @throws {TypeError} If the name or the source is invalid, or an option is unknown or of a wrong shape.
   * @throws {RangeError} If a duration is out of bounds.
   */
  constructor(name: string, dependency: Source<unknown>, options: DependencyOptions = {}) {
    if (typeof name !== "string" || name === "") {
      throw new TypeError("Cannot name a dependency: a name must be a non-empty string");
    }
    if (typeof dependency !== "object" || dependency === null || !isSource(dependency)) {
      throw new TypeError(
        `Cannot make dependency ${JSON.stringify(name)}: its stream must be a source, as an object`,
      );
    }
    this.name = name;
    this.dependency = dependency;
    this.settings = toDependencySettings(name, options);
    this[internals] = new DependencyFrontier(this.settings, gateOf(dependency));
  }

  /** The dependent's state at the last heartbeat. */
  get checkpointState(): Record<string, unknown> | undefined {
    return this[internals].checkpointState;
  }

  /** The marker of the last heartbeat; before there is one, of the first pulse. */
  get checkpointMarker(): Marker | undefined {
    return this.times?.markerOf(this[internals].marker);
  }

  /** The time before which everything is stored; undefined while that is not known, and at the end of the source. */
  get frontier(): Marker | undefined {
    return this.times?.markerOf(this[internals].frontier);
  }

  /** Whether it is down. */
  get isDown(): boolean {
    return this[internals].down;
  }

  /**
   * How it is printed: where it has several parts, with the last marker of each (`heard`), and while it is
   * down with the slowest of them (`lagging`).
   */
  toJSON(): {
    checkpointState: unknown;
    checkpointMarker: Marker | null;
    heard?: Readonly<Record<PartName, Marker | null>>;
    lagging?: readonly PartName[];
  } {
    const { heard, lagging } = this[internals];
    const markers = [...heard].map(([part, time]) => [part, this.times?.markerOf(time) ?? null]);
    return {
      checkpointState: this.checkpointState ?? null,
      checkpointMarker: this.checkpointMarker ?? null,
      ...(heard.size > 1 && { heard: Object.fromEntries(markers) }),
      ...(this.isDown && lagging.length > 0 && { lagging }),
    };
  }

  /** How it reads in a string. */
  toString(): string {
    return JSON.stringify(this);
  }

  /** How a console shows it. */
  [Symbol.for("Deno.customInspect")](
    inspect: (value: unknown, options: unknown) => string,
    options: unknown,
  ): string {
    const { checkpointState, checkpointMarker } = this;
    return `Dependency ${
      inspect({ ...this.toJSON(), checkpointState, checkpointMarker }, options)
    }`;
  }
}

const RULES = {
  downtimeThreshold: duration(),
  downtimeCheck: callback,
  recoveryCheck: callback,
  outOfOrderness: duration({ finite: true }),
  downtimeAfter: duration(),
  onEnd: oneOf("final", "down"),
  parts: must(
    "a list",
    (value) =>
      typeof value !== "string" &&
      typeof (value as Iterable<PartName> | null)?.[Symbol.iterator] === "function",
  ),
  idleParts: oneOf("hold", "pass"),
} as const satisfies Rules<DependencyOptions>;

const DEFAULTS = {
  downtimeThreshold: 600_000,
  outOfOrderness: 0,
  downtimeAfter: Infinity,
  onEnd: "final",
  idleParts: "hold",
} as const satisfies DependencyOptions;

/** The options with their defaults. */
type DependencySettings =
  & { readonly onEnd: "final" | "down"; readonly idleParts: IdlePartitions }
  & { readonly [K in "downtimeThreshold" | "outOfOrderness" | "downtimeAfter"]: number }
  & Pick<DependencyOptions, "downtimeCheck" | "recoveryCheck">
  & { readonly parts: readonly PartName[] };

/**
 * Checks the options of a dependency.
 *
 * @throws {TypeError} If one is unknown or has the wrong shape.
 * @throws {RangeError} If a duration is out of bounds.
 */
function toDependencySettings(name: string, options: DependencyOptions): DependencySettings {
  const given = readOptions(`dependency ${JSON.stringify(name)}`, options, RULES);
  return { ...DEFAULTS, ...given, parts: [...given.parts ?? []] } as DependencySettings;
}
