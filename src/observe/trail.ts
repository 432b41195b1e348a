import type { AppSnapshot } from "../snapshot.ts";

/** How many points are kept of each line. */
const MOST_POINTS = 360;

/** How one line went: its values at the times of the trail; null where it was not known. */
export type Line = (number | null)[];

/** How an app went in the last minutes: what the charts of the page begin with. */
export interface TrailData {
  /** The times of the points, by the app's clock. */
  readonly at: number[];
  /** The lines: `lag source:orders`, `delay source:orders`, `pulse checkpoint:x`, `frontier checkpoint:x`, `rate flow:y`. */
  readonly lines: Record<string, Line>;
}

/** Keeps how an app went, as a few lines of numbers. */
export class Trail {
  #at: number[] = [];
  readonly #lines = new Map<string, Line>();

  /** Adds a point. */
  add({ at, flows, sources, checkpoints }: AppSnapshot): void {
    const point = new Map<string, number | undefined>();
    for (const { id, rate } of flows) point.set(`rate ${id}`, rate);
    for (const { id, lag, watermark } of sources) {
      point.set(`lag ${id}`, lag);
      point.set(`delay ${id}`, watermark?.delayMs);
    }
    for (const { id, pulse, frontier } of checkpoints) {
      point.set(`pulse ${id}`, pulse);
      point.set(`frontier ${id}`, frontier);
    }
    for (const name of point.keys()) {
      if (!this.#lines.has(name)) this.#lines.set(name, Array(this.#at.length).fill(null));
    }
    this.#at.push(at);
    for (const [name, line] of this.#lines) line.push(point.get(name) ?? null);
    if (this.#at.length <= MOST_POINTS) return;
    this.#at.shift();
    for (const line of this.#lines.values()) line.shift();
  }

  /** The lines. */
  get data(): TrailData {
    return { at: this.#at, lines: Object.fromEntries(this.#lines) };
  }
}
