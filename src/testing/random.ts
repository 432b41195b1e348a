/**
 * Repeatable random numbers: the same seed gives the same numbers, on every machine.
 *
 * The generator is mulberry32 (Tommy Ettinger, 2017, public domain): 32 bits of state, good enough for
 * tests, not for secrets.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Random } from "@slipstream/slipstream/testing";
 *
 * const roll = () => {
 *   const random = new Random(7);
 *   return [random.integer(6), random.integer(6), random.integer(6)];
 * };
 * assertEquals(roll(), roll());
 * ```
 */
export class Random {
  #state: number;

  /**
   * Begins the numbers of `seed`.
   *
   * @throws {RangeError} If `seed` is not an integer from 0 to 2^32 - 1.
   */
  constructor(seed: number) {
    if (seed >>> 0 !== seed) {
      throw new RangeError(
        `Cannot seed as the seed must be an integer from 0 to 4294967295: current value is ${seed}`,
      );
    }
    this.#state = seed;
  }

  /** Returns a number from 0 to less than 1. */
  number(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let bits = this.#state;
    bits = Math.imul(bits ^ (bits >>> 15), bits | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Returns an integer from 0 to less than `end`. */
  integer(end: number): number {
    return Math.floor(this.number() * end);
  }

  /** Returns true in `probability` of all calls: never for 0, always for 1. */
  chance(probability: number): boolean {
    return this.number() < probability;
  }

  /**
   * Returns one of `items`.
   *
   * @throws {RangeError} If there are none.
   */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError("Cannot pick one of no items");
    return items[this.integer(items.length)]!;
  }
}
