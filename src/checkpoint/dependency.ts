import { isSource } from "../flow/feeds.ts";
import { gateOf } from "../flow/gate.ts";
import type { Source } from "../types.ts";
import { type DependencyOptions, toDependencySettings } from "./dependency_options.ts";
import type { EventTimes } from "./event_times.ts";
import type { Marker } from "./marker.ts";
import type { PartName } from "./parts.ts";
import { Vitals } from "./vitals.ts";

/** The inside of a {@linkcode Dependency}, for its checkpoint. */
export const inside: unique symbol = Symbol("slipstream.dependency");

/**
 * A stream that another one depends on, as a {@linkcode Checkpoint} sees it.
 *
 * Its name is part of what is kept: do not change it later.
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
  readonly [inside]: Vitals;
  /** @internal */
  readonly settings: ReturnType<typeof toDependencySettings>;
  /** @internal Set by the checkpoint that it belongs to. */
  times: EventTimes | undefined;

  /**
   * Makes a dependency; it belongs to the checkpoint that it is given to.
   *
   * @throws {TypeError} If the name or the source is none, or an option is unknown or of a wrong shape.
   * @throws {RangeError} If a duration is out of bounds.
   */
  constructor(name: string, dependency: Source<unknown>, options: DependencyOptions = {}) {
    if (typeof name !== "string" || name === "") {
      throw new TypeError("Cannot name a dependency: a name is a string, not empty");
    }
    if (typeof dependency !== "object" || dependency === null || !isSource(dependency)) {
      throw new TypeError(
        `Cannot make dependency ${JSON.stringify(name)}: its stream must be a source, as an object`,
      );
    }
    this.name = name;
    this.dependency = dependency;
    this.settings = toDependencySettings(name, options);
    this[inside] = new Vitals(this.settings, gateOf(dependency));
  }

  /** The dependent's state at the last heartbeat. */
  get checkpointState(): Record<string, unknown> | undefined {
    return this[inside].checkpointState;
  }

  /** The marker of the last heartbeat, or of the first pulse when there was none. */
  get checkpointMarker(): Marker | undefined {
    return this.times?.markerOf(this[inside].marker);
  }

  /** The time before which everything is known and stored; undefined before that can be said, and at the end. */
  get frontier(): Marker | undefined {
    return this.times?.markerOf(this[inside].frontier);
  }

  /** Whether it is down. */
  get isDown(): boolean {
    return this[inside].down;
  }

  /**
   * What it prints as; where it has several parts, with the marker that was last heard of each, and while it
   * is down with those that are behind.
   */
  toJSON(): {
    checkpointState: unknown;
    checkpointMarker: Marker | null;
    heard?: Readonly<Record<PartName, Marker | null>>;
    lagging?: readonly PartName[];
  } {
    const { heard, lagging } = this[inside];
    const markers = [...heard].map(([part, time]) => [part, this.times?.markerOf(time) ?? null]);
    return {
      checkpointState: this.checkpointState ?? null,
      checkpointMarker: this.checkpointMarker ?? null,
      ...(heard.size > 1 && { heard: Object.fromEntries(markers) }),
      ...(this.isDown && lagging.length > 0 && { lagging }),
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
    const { checkpointState, checkpointMarker } = this;
    return `Dependency ${
      inspect({ ...this.toJSON(), checkpointState, checkpointMarker }, options)
    }`;
  }
}
