import { currentMessage } from "../flow/attribution.ts";
import { isFeedSource, isSource } from "../flow/feeds.ts";
import { gateOf } from "../flow/gate.ts";
import type { Source } from "../types.ts";
import { suggestion } from "../options.ts";
import { type CheckpointOptions, toCheckpointSettings } from "./checkpoint_options.ts";
import { Core } from "./core.ts";
import { Dependency, inside } from "./dependency.ts";
import type { Marker } from "./marker.ts";
import type { PartName } from "./parts.ts";
import { type Place, placeOf } from "./place.ts";

/** Options of {@linkcode Checkpoint.heartbeat}. */
export interface HeartbeatOptions {
  /** The name of the dependency; needed when there are several. */
  dependency?: string | undefined;
  /**
   * The part of the dependency that it comes from.
   *
   * @default {"the partition of the message that is being handled; outside of handlers, a keep-alive is for all"}
   */
  part?: PartName | undefined;
}

/** How far a dependency is, compared with its dependent. */
export interface Latency {
  /** True while the dependency is down: it has not caught up with the dependent yet. */
  readonly isLate: boolean;
  /** The marker of the last pulse. */
  readonly dependentMarker: Marker | undefined;
  /** The marker of the dependency. */
  readonly dependencyMarker: Marker | undefined;
}

const owners = new WeakMap<Dependency, Checkpoint>();

/**
 * Pauses a stream while a stream that it depends on is down, lets it go on when that one has recovered, and
 * has what was made from stale data made again.
 *
 * - The handler of each dependency calls {@linkcode Checkpoint.heartbeat}, the handler of the dependent calls
 *   {@linkcode Checkpoint.checkPulse} before it reads what the dependencies have stored.
 * - A result for time t is right once every dependency's frontier has passed t: once everything before t is
 *   stored, that is, and the messages that stored it are done.
 * - With `correct`, results that a later dependency message made wrong are made again, and these messages
 *   have `context.correction`: write results under the position of their message, so that the new one
 *   replaces the old. More recipes are with `Correction`.
 * - What is known is kept in the `cache` at every barrier, after the stores and before the positions, as one
 *   entry. Names are part of its key: do not change them later.
 * - It must be made before `stream()`, and given the very sources that the flows read.
 * - Several processes may share the partitions of a dependent. Each has a `cache` of its own, and reads every
 *   partition of every dependency, in a group of its own: who is given a part of them only ends with an
 *   error, since the frontier of a part says nothing about the whole.
 * - With `partitions`, a store that all processes open, what is known of a partition goes with it to the
 *   process that reads it next. That one cannot know what the one before had stored when it made a result:
 *   whatever was not final is made again. Without `partitions`, a partition begins elsewhere at its
 *   committed position, and what was provisional in it is not corrected there.
 *
 * @typeParam M The messages of the dependent.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Checkpoint, Dependency } from "@slipstream/slipstream";
 *
 * const [activities, weather] = [["swimming"], ["🌞"]];
 * const checkpoint = new Checkpoint("activities", {
 *   dependent: activities,
 *   dependencies: [new Dependency("weather", weather)],
 * });
 * await checkpoint.checkPulse(new Date("2025-01-01T10:00Z"));
 * await checkpoint.heartbeat(new Date("2025-01-01T10:30Z"));
 * assertEquals(await checkpoint.checkPulse(new Date("2025-01-01T11:00Z")), 30 * 60_000);
 * assertEquals(checkpoint.dependency("weather").isDown, true);
 * ```
 */
export class Checkpoint<M = unknown> {
  /** Its name. */
  readonly name: string;
  /** The stream that depends on the others. */
  readonly dependent: Source<M>;
  /** The streams that it depends on, by name. */
  readonly dependencies: ReadonlyMap<string, Dependency>;
  readonly #core: Core;

  /**
   * Makes a checkpoint.
   *
   * @throws {TypeError} If an option is unknown, has the wrong shape or contradicts another; if the
   * dependent depends on itself, or has a checkpoint of that name; if it is to be corrected and cannot be
   * read again.
   * @throws {RangeError} If a duration is out of bounds.
   */
  constructor(name: string, options: CheckpointOptions<M>) {
    if (typeof name !== "string" || name === "") {
      throw new TypeError("Cannot name a checkpoint: a name is a string, not empty");
    }
    const settings = toCheckpointSettings(name, options);
    const { dependent, dependencies, correct } = settings;
    const wrong = (what: string) =>
      new TypeError(`Cannot make checkpoint ${JSON.stringify(name)}: ${what}`);
    if (typeof dependent !== "object" || dependent === null || !isSource(dependent)) {
      throw wrong("the dependent must be a source, as an object");
    }
    if (correct && !isFeedSource(dependent)) {
      throw wrong("its dependent cannot be read again, so nothing can be corrected; use a Topic");
    }
    if (!Array.isArray(dependencies) || dependencies.length === 0) {
      throw wrong("give it a list of dependencies");
    }
    this.name = name;
    this.dependent = dependent as Source<M>;
    this.dependencies = new Map(dependencies.map((each) => [each?.name, each]));
    for (const dependency of dependencies) {
      if (!(dependency instanceof Dependency)) throw wrong("a dependency must be a Dependency");
      const owner = owners.get(dependency);
      if (owner !== undefined) {
        throw wrong(`dependency "${dependency.name}" belongs to checkpoint "${owner.name}"`);
      }
    }
    if (this.dependencies.size < dependencies.length) {
      throw wrong("the names of its dependencies must differ");
    }
    this.#core = new Core(this as Checkpoint, name, settings);
    for (const dependency of dependencies) owners.set(dependency, this as Checkpoint);
  }

  /** The state that the pulses brought, merged. */
  get state(): Readonly<Record<string, unknown>> {
    return this.#core.state;
  }

  /** The marker of the last pulse. */
  get stateMarker(): Marker | undefined {
    return this.#core.times.markerOf(this.#core.stateMarker);
  }

  /**
   * The positions of the first results, by partition, that are known to be wrong. In the recovery callback,
   * those from which the dependent must be, or is, handled again.
   */
  get staleState(): Readonly<Record<number, number>> {
    return Object.fromEntries(this.#core.corrections.stale ?? this.#core.results.dirty);
  }

  /**
   * Returns a dependency.
   *
   * @throws {TypeError} If there is none of that name.
   */
  dependency(name: string): Dependency {
    const dependency = this.dependencies.get(name);
    if (dependency !== undefined) return dependency;
    throw new TypeError(
      `Cannot find dependency ${JSON.stringify(name)} of checkpoint ${
        JSON.stringify(this.name)
      }: ` + suggestion(name, [...this.dependencies.keys()]),
    );
  }

  /**
   * Says that a dependency has a message for the time of `marker`. In a flow of the dependency, also behind a
   * Proxy, it counts as alive at once, and the message as stored once it is done; elsewhere both at once.
   *
   * A message is done when its sinks have taken what was made from it, before their next `flush()`. So what
   * the dependent reads must be stored in the handler, or by a sink in `write()`: a result that is made
   * before such a `flush()` and reads what only that stores is not corrected.
   *
   * @returns How far the dependency is.
   * @throws {TypeError} If there are several dependencies and none is named, or the marker is none; with
   * `correct` also for a message of the dependent.
   */
  async heartbeat(marker: Marker, options: HeartbeatOptions = {}): Promise<Latency> {
    return await this.#beat(marker, options, true);
  }

  /**
   * Says that a dependency is complete up to the time of `marker`, without a message: a dependency that has
   * little to say keeps its dependent going with it.
   *
   * @returns How far the dependency is.
   */
  async keepAlive(marker: Marker, options: HeartbeatOptions = {}): Promise<Latency> {
    return await this.#beat(marker, options, false);
  }

  /**
   * Says that the dependent has a message for the time of `marker`, before its handler reads what the
   * dependencies have stored. With `correct` it is called in a flow of the dependent, also behind a Proxy.
   *
   * @param state Whatever helps to find the message again; merged into {@linkcode Checkpoint.state}.
   * @returns For how many milliseconds of event time the worst dependency has been down; undefined when none
   * is.
   */
  checkPulse(marker: Marker, state?: Record<string, unknown>): Promise<number | undefined> {
    try {
      return this.#core.pulse(marker, state);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** What it prints as. */
  toJSON(): { state: unknown; stateMarker: Marker | null; checkpoints: Record<string, unknown> } {
    const checkpoints = [...this.dependencies].map(([name, each]) => [name, each.toJSON()]);
    return {
      state: this.state,
      stateMarker: this.stateMarker ?? null,
      checkpoints: Object.fromEntries(checkpoints),
    };
  }

  /** How it reads in a text. */
  toString(): string {
    return JSON.stringify(this);
  }

  /** How a console shows it. */
  [Symbol.for("Deno.customInspect")](
    inspect: (value: unknown, options: unknown) => string,
    options: unknown,
  ): string {
    return `Checkpoint ${inspect(this.toJSON(), options)}`;
  }

  async #beat(marker: Marker, options: HeartbeatOptions, isMessage: boolean): Promise<Latency> {
    const core = this.#core;
    const dependency = this.#find(options.dependency);
    const time = core.read(marker, dependency.name);
    if (time !== undefined) {
      const place = this.#placeOf(dependency, isMessage);
      const parts = this.#parts(dependency, options.part ?? place?.partition, isMessage);
      await core.beat({ dependency, time, parts, position: place?.offset ?? -1, isMessage });
    }
    return {
      isLate: core.outages.isLate(dependency),
      dependentMarker: this.stateMarker,
      dependencyMarker: core.times.markerOf(dependency[inside].marker),
    };
  }

  /** The place of the dependency's message that is being handled, also behind a Proxy. */
  #placeOf(dependency: Dependency, isMessage: boolean): Place | undefined {
    const receipt = currentMessage()?.receipt;
    const gate = gateOf(dependency.dependency);
    if (receipt?.gate === gate) return placeOf(receipt.origin);
    if (!isMessage || !this.#core.settings.correct) return undefined;
    if (receipt?.origin === undefined || receipt.sent || !gate.read) return undefined;
    throw new TypeError(
      `Cannot tell when the message of dependency ${JSON.stringify(dependency.name)} is stored: ` +
        "heartbeat() was called for a message of another source; call it in a flow of the dependency",
    );
  }

  #parts(dependency: Dependency, part: PartName | undefined, isMessage: boolean): PartName[] {
    if (part !== undefined) return [part];
    const { parts } = dependency[inside];
    if (!isMessage || parts.length === 1) return parts;
    throw new TypeError(
      `Cannot tell which part of dependency ${
        JSON.stringify(dependency.name)
      } is meant: pass { part }`,
    );
  }

  #find(name: string | undefined): Dependency {
    if (name !== undefined) return this.dependency(name);
    if (this.dependencies.size === 1) return [...this.dependencies.values()][0]!;
    throw new TypeError(
      `Cannot tell which dependency of checkpoint ${JSON.stringify(this.name)} is meant: ` +
        "pass { dependency }",
    );
  }
}
