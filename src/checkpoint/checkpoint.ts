import { currentMessage } from "../flow/run/attribution.ts";
import { isFeedSource, isSource } from "../flow/source/adapters.ts";
import { gateOf } from "../flow/source/gate.ts";
import { suggestion } from "../refusal.ts";
import type { Source } from "../flow/source/source.ts";
import { CheckpointAlgorithm } from "./checkpoint_algorithm.ts";
import { type CheckpointOptions, toCheckpointSettings } from "./checkpoint_options.ts";
import { CheckpointRun } from "./checkpoint_run.ts";
import {
  type CheckpointView,
  Dependency,
  type DependencyStatus,
  type HeartbeatOptions,
  internals,
} from "./dependency.ts";
import type { PartName } from "./dependency_parts.ts";
import type { Marker } from "./marker.ts";
import { type MessagePosition, positionOf } from "./replay_tracker.ts";

/**
 * Pauses a stream while a stream that it depends on is down, resumes it when that one has recovered, and corrects
 * results computed from stale data.
 *
 * - The handler of each dependency calls {@linkcode Checkpoint.heartbeat}, the handler of the dependent calls
 *   {@linkcode Checkpoint.checkPulse} before it reads what the dependencies have stored.
 * - A result for time t is final once every dependency's frontier has passed t: once everything before t is
 *   stored and the messages that stored it are done.
 * - With `correct`, messages whose results a later dependency message made stale are reprocessed, with
 *   `context.correction` set: write results under the position of their message, so that the new one replaces
 *   the old. See `Correction` for more recipes.
 * - It is kept in the `cache` at every commit, after the stores and before the positions, as one entry. Names
 *   are part of its key: do not change them later.
 * - Create it before `stream()`, with the same source objects that the flows read.
 * - Several processes may share the partitions of a dependent. Each has a `cache` of its own, and reads every
 *   partition of every dependency, in a group of its own: a process that is assigned only some of them ends with an
 *   error, since these say nothing about the others.
 * - With `partitions`, a store that all processes open, the record of a partition moves with it to the process that reads
 *   it next. The new process cannot know which messages the previous one had stored when it made a result,
 *   so every provisional result is corrected. Without `partitions`, a partition begins elsewhere at
 *   its committed position, and its provisional results are not corrected there.
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
export class Checkpoint<M = unknown> implements CheckpointView {
  /** Its name. */
  readonly name: string;
  /** The stream that depends on the others. */
  readonly dependent: Source<M>;
  /** The streams that it depends on, by name. */
  readonly dependencies: ReadonlyMap<string, Dependency>;
  readonly #algorithm: CheckpointAlgorithm;

  /**
   * Makes a checkpoint.
   *
   * @throws {TypeError} If an option is unknown, has the wrong shape or contradicts another; if the
   * dependent depends on itself, or has a checkpoint of that name; with `correct`, if the dependent cannot be
   * read again.
   * @throws {RangeError} If a duration is out of bounds.
   */
  constructor(name: string, options: CheckpointOptions<M>) {
    if (typeof name !== "string" || name === "") {
      throw new TypeError("Cannot name a checkpoint: a name must be a non-empty string");
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
      if (!(dependency instanceof Dependency)) {
        throw wrong("a dependency must be a Dependency: new Dependency(name, source)");
      }
      const owner = dependency.times?.owner;
      if (owner !== undefined) {
        throw wrong(`dependency "${dependency.name}" belongs to checkpoint "${owner}"`);
      }
    }
    if (this.dependencies.size < dependencies.length) {
      throw wrong("the names of its dependencies must differ");
    }
    this.#algorithm = new CheckpointAlgorithm(this, name, settings);
    new CheckpointRun(this.#algorithm); // goes with the sources through their runs
  }

  /** The merged state of all pulses. */
  get state(): Readonly<Record<string, unknown>> {
    return this.#algorithm.state.state;
  }

  /** The marker of the last pulse. */
  get stateMarker(): Marker | undefined {
    const { times, stateMarker } = this.#algorithm.state;
    return times.markerOf(stateMarker);
  }

  /**
   * The position of the first stale result, by partition. In the recovery callback, the position from which the
   * dependent must be, or is, reprocessed.
   */
  get staleState(): Readonly<Record<number, number>> {
    const { corrections, state: { results } } = this.#algorithm;
    return Object.fromEntries(corrections.staleAtRecovery ?? results.stale);
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
   * Reports that a dependency has a message for the time of `marker`. In a flow of the dependency, even behind a
   * Proxy, the dependency counts as alive at once, and the message as stored once it is done; elsewhere both at once.
   *
   * A message is done when its sinks have taken its results, before their next `flush()`. So the data that the
   * dependent reads must be stored by the handler, or by a sink in `write()`. Where only `flush()` stores it, a
   * result made before that is not corrected.
   *
   * @returns How far along the dependency is.
   * @throws {TypeError} If there are several dependencies and none is named, or the marker is invalid; with
   * `correct` also for a message of the dependent.
   */
  async heartbeat(marker: Marker, options: HeartbeatOptions = {}): Promise<DependencyStatus> {
    return await this.#tell(marker, options, true);
  }

  /**
   * Reports that a dependency is complete up to the time of `marker`, without a message: so a dependency with few
   * messages keeps its dependent going.
   *
   * @returns How far along the dependency is.
   */
  async keepAlive(marker: Marker, options: HeartbeatOptions = {}): Promise<DependencyStatus> {
    return await this.#tell(marker, options, false);
  }

  /**
   * Reports that the dependent has a message for the time of `marker`, before its handler reads what the dependencies
   * have stored. With `correct`, call it in a flow of the dependent, or behind a Proxy.
   *
   * @param state Anything that helps to find the message again; merged into {@linkcode Checkpoint.state}.
   * @returns For how many milliseconds of event time the worst dependency has been down; undefined when none
   * is.
   */
  checkPulse(marker: Marker, state?: Record<string, unknown>): Promise<number | undefined> {
    try {
      return this.#algorithm.pulse(this.#algorithm.state.read(marker), state);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** How it is printed. */
  toJSON(): { state: unknown; stateMarker: Marker | null; checkpoints: Record<string, unknown> } {
    const checkpoints = [...this.dependencies].map(([name, each]) => [name, each.toJSON()]);
    return {
      state: this.state,
      stateMarker: this.stateMarker ?? null,
      checkpoints: Object.fromEntries(checkpoints),
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
    return `Checkpoint ${inspect(this.toJSON(), options)}`;
  }

  async #tell(
    marker: Marker,
    options: HeartbeatOptions,
    isMessage: boolean,
  ): Promise<DependencyStatus> {
    const { state, outages } = this.#algorithm;
    const dependency = this.#find(options.dependency);
    const time = state.read(marker, dependency.name);
    if (time !== undefined) {
      const at = this.#positionOf(dependency, isMessage);
      const parts = this.#parts(dependency, options.part ?? at?.partition, isMessage);
      const heartbeat = { time, parts, position: at?.offset ?? -1, isMessage };
      await this.#algorithm.heartbeat(dependency, heartbeat);
    }
    return {
      isLate: outages.isLate(dependency),
      dependentMarker: this.stateMarker,
      dependencyMarker: dependency.checkpointMarker,
    };
  }

  /** Where the dependency's message is for which this is called, also behind a Proxy. */
  #positionOf(dependency: Dependency, isMessage: boolean): MessagePosition | undefined {
    const receipt = currentMessage()?.receipt;
    const gate = gateOf(dependency.dependency);
    if (receipt?.gate === gate) return positionOf(receipt.origin);
    if (!isMessage || !this.#algorithm.state.settings.correct) return undefined;
    if (receipt?.origin === undefined || receipt.sent || !gate.read) return undefined;
    throw new TypeError(
      `Cannot tell when the message of dependency ${JSON.stringify(dependency.name)} is stored: ` +
        "heartbeat() was called for a message of another source; call it in a flow of the dependency",
    );
  }

  #parts(dependency: Dependency, part: PartName | undefined, isMessage: boolean): PartName[] {
    if (part !== undefined) return [part];
    const { parts } = dependency[internals];
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
