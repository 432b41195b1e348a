import type { Clock } from "../clock.ts";
import { kindOf, type Marker, type MarkerKind, toMarker, toMs } from "./marker.ts";

/** Reads the markers of one checkpoint, which are all of one kind. */
export class EventTimes {
  /** What kind they are of, once there was one. */
  kind: MarkerKind | undefined;
  readonly #owner: string;
  readonly #maxAheadMs: number;
  /** The latest time that was not too far ahead when the clock was last read. */
  #latest = -Infinity;

  constructor(owner: string, maxAheadMs: number) {
    this.#owner = owner;
    this.#maxAheadMs = maxAheadMs;
  }

  /**
   * Returns a marker in milliseconds; undefined when it is too far ahead of `clock`.
   *
   * @throws {TypeError} If it is no marker, or of another kind than those before.
   */
  read(marker: Marker, clock: Clock): number | undefined {
    const kind = kindOf(marker);
    this.kind ??= kind;
    if (kind !== this.kind) {
      throw new TypeError(
        `Cannot compare the markers of checkpoint ${JSON.stringify(this.#owner)}: ` +
          `they were of kind ${this.kind}, and now one is of kind ${kind}`,
      );
    }
    const time = toMs(marker);
    if (time <= this.#latest) return time;
    this.#latest = clock.now() + this.#maxAheadMs;
    return time <= this.#latest ? time : undefined;
  }

  /** Returns milliseconds as a marker; undefined before there was one, and for the infinities. */
  markerOf(time: number): Marker | undefined {
    return this.kind && toMarker(time, this.kind);
  }
}
