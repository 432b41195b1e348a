import type { Clock } from "../clock.ts";
import { kindOf, type Marker, type MarkerKind, toMarker, toMs } from "./marker.ts";

/** Reads the markers of one checkpoint, which are all of one kind. */
export class EventTimes {
  /** What kind they are of, once there was one that was not ignored. */
  kind: MarkerKind | undefined;
  readonly #owner: string;
  readonly #maxAheadMs: number;

  constructor(owner: string, maxAheadMs: number) {
    this.#owner = owner;
    this.#maxAheadMs = maxAheadMs;
  }

  /**
   * Returns a marker in milliseconds; undefined when it is too far ahead of `clock`: such a one decides nothing.
   *
   * @throws {TypeError} If it is no marker, or of another kind than those before.
   */
  read(marker: Marker, clock: Clock): number | undefined {
    const kind = kindOf(marker);
    if (kind !== (this.kind ?? kind)) {
      throw new TypeError(
        `Cannot compare the markers of checkpoint ${JSON.stringify(this.#owner)}: ` +
          `they were of kind ${this.kind}, and now one is of kind ${kind}`,
      );
    }
    const time = toMs(marker);
    // The clock is read for each: it may have been far ahead for the one before, and set right since.
    if (time > clock.now() + this.#maxAheadMs) return undefined;
    this.kind = kind;
    return time;
  }

  /** Returns milliseconds as a marker; undefined before there was one, and for the infinities. */
  markerOf(time: number): Marker | undefined {
    return this.kind && toMarker(time, this.kind);
  }
}
