/**
 * A point in event time. Numbers are milliseconds since 1970; those counted from something else need
 * `maxAheadMs: Infinity`, since it compares with the clock. Markers of one checkpoint are of one kind.
 */
export type Marker = Date | Temporal.Instant | number;

/** The kinds of markers. */
export type MarkerKind = "Date" | "Temporal.Instant" | "number";

/**
 * Says what kind of marker `marker` is.
 *
 * @throws {TypeError} If it is none.
 * @throws {RangeError} If it is no point in time: NaN, infinite, or an invalid date.
 */
export function kindOf(marker: unknown): MarkerKind {
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
    `Cannot use a marker that is neither a Date, a Temporal.Instant nor a number: got ${given}`,
  );
}

/** Returns a marker in milliseconds; what is finer is cut off. */
export function toMs(marker: Marker): number {
  if (typeof marker === "number") return marker;
  return marker instanceof Date ? marker.getTime() : marker.epochMilliseconds;
}

/** Returns milliseconds as a marker; undefined for the infinities, which stand for "none yet" and "all". */
export function toMarker(ms: number, kind: MarkerKind): Marker | undefined {
  if (!Number.isFinite(ms)) return undefined;
  if (kind === "number") return ms;
  return kind === "Date" ? new Date(ms) : Temporal.Instant.fromEpochMilliseconds(ms);
}
