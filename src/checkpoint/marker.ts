import type { Clock } from "../clock.ts";

/**
 * A point in event time. Numbers are milliseconds since 1970; those counted from something else need
 * `maxAhead: Infinity`, since it compares with the clock. Markers of one checkpoint are of one kind.
 */
export type Marker = Date | Temporal.Instant | number;

/** The kinds of markers. */
export type MarkerKind = "Date" | "Temporal.Instant" | "number";

/** Reads the markers of one checkpoint, which are all of one kind. */
export class EventTimes {
  /** Their kind, once one has counted. */
  kind: MarkerKind | undefined;
  /** The name of the checkpoint. */
  readonly owner: string;
  readonly #maxAheadMs: number;
  /** The time of day as last read in this macrotask; -Infinity if it was not read. */
  #read = -Infinity;

  constructor(owner: string, maxAheadMs: number) {
    this.owner = owner;
    this.#maxAheadMs = maxAheadMs;
  }

  /**
   * Returns a marker in milliseconds; undefined when it is too far ahead of `clock`, and must be ignored.
   *
   * @throws {TypeError} If it is not a marker, or of another kind than those before.
   * @throws {RangeError} If it is not a point in time.
   */
  read(marker: Marker, clock: Clock): number | undefined {
    const kind = kindOf(marker);
    if (kind !== (this.kind ?? kind)) {
      throw new TypeError(
        `Cannot compare the markers of checkpoint ${JSON.stringify(this.owner)}: ` +
          `they were of kind ${this.kind}, and now one is of kind ${kind}`,
      );
    }
    const time = toMs(marker);
    if (time > this.#read + this.#maxAheadMs && time > this.#now(clock) + this.#maxAheadMs) {
      return undefined;
    }
    this.kind = kind;
    return time;
  }

  /** Reads the clock, also for later markers of this macrotask; after it the clock may have been set right. */
  #now(clock: Clock): number {
    if (this.#read === -Infinity) clock.macrotask(() => this.#read = -Infinity);
    return this.#read = clock.now();
  }

  /** Returns milliseconds as a marker; undefined before there was one, and for the infinities. */
  markerOf(time: number): Marker | undefined {
    return this.kind && toMarker(time, this.kind);
  }
}

/**
 * Returns what kind of marker `marker` is.
 *
 * @throws {TypeError} If it is none.
 * @throws {RangeError} If it is not a point in time: NaN, infinite, or an invalid date.
 */
function kindOf(marker: unknown): MarkerKind {
  if (typeof marker === "number") {
    if (Number.isFinite(marker)) return "number";
    throw new RangeError(`Cannot use a marker that is not finite: current value is ${marker}`);
  }
  if (marker instanceof Date) {
    if (Number.isFinite(marker.getTime())) return "Date";
    throw new RangeError("Cannot use a marker that is an invalid Date");
  }
  if (marker instanceof Temporal.Instant) return "Temporal.Instant";
  const given = typeof marker === "object" ? marker?.constructor?.name ?? "null" : typeof marker;
  throw new TypeError(
    `Cannot use a marker that is neither a Date, a Temporal.Instant nor a number: got ${given}` +
      (given === "string" ? ", give new Date(text)" : ""),
  );
}

/** Returns a marker in milliseconds; finer units are cut off. */
function toMs(marker: Marker): number {
  if (typeof marker === "number") return marker;
  return marker instanceof Date ? marker.getTime() : marker.epochMilliseconds;
}

/** Returns milliseconds as a marker; undefined for the infinities, which stand for "none yet" and "all". */
function toMarker(ms: number, kind: MarkerKind): Marker | undefined {
  if (!Number.isFinite(ms)) return undefined;
  if (kind === "number") return ms;
  return kind === "Date" ? new Date(ms) : Temporal.Instant.fromEpochMilliseconds(ms);
}
