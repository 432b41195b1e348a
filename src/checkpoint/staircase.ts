/** Results from `position` on were made for times up to `time`. */
export interface Step {
  /** The position of the first of them. */
  readonly position: number;
  /** The latest time among them. */
  readonly time: number;
}

/** How many steps a staircase has at most. */
export const MAX_STEPS = 64;

/**
 * The provisional results of one partition: rising steps of (position, time), so that the first result at
 * or after a time is found without keeping every result.
 *
 * - A result whose time is not above the last step needs no step: whatever makes it wrong makes that one
 *   wrong too, and it is handled again with it.
 * - Beyond {@linkcode MAX_STEPS} every two steps become one, with the position of the first and the time of
 *   the second: then more is handled again than need be, never less.
 */
export class Staircase {
  #steps: Step[];

  /** Begins with `steps`, of a staircase from before. */
  constructor(steps: readonly Step[] = []) {
    this.#steps = [...steps];
  }

  /** The steps, lowest first. */
  get steps(): readonly Step[] {
    return this.#steps;
  }

  /** Adds the result at `position`, which was made for `time`; those after it will be made again. */
  add(position: number, time: number): void {
    this.cut(position + 1);
    const last = this.#steps.at(-1);
    if (last !== undefined && time <= last.time) return;
    this.cut(position); // of one message the latest time counts
    this.#steps.push({ position, time });
    if (this.#steps.length > MAX_STEPS) this.#merge();
  }

  /** The position of the first result for a time at or after `time`. */
  from(time: number): number | undefined {
    return this.#steps.find((step) => step.time >= time)?.position;
  }

  /** Drops the results for times before `time`: they are final. */
  forget(time: number): void {
    while (this.#steps.length > 0 && this.#steps[0]!.time < time) this.#steps.shift();
  }

  /** Drops the results at and after `position`: they will be made again. */
  cut(position: number): void {
    while (this.#steps.length > 0 && this.#steps.at(-1)!.position >= position) this.#steps.pop();
  }

  #merge(): void {
    const steps: Step[] = [];
    for (let index = 0; index < this.#steps.length; index += 2) {
      const { position, time } = this.#steps[index]!;
      steps.push({ position, time: this.#steps[index + 1]?.time ?? time });
    }
    this.#steps = steps;
  }
}
