import { number, readOptions, type Rules } from "../options.ts";
import { Scheduler } from "./scheduler.ts";

/** Options of {@linkcode simulate}. */
export interface SimulateOptions {
  /**
   * How many seeds are run.
   *
   * @default {100}
   */
  seeds?: number | undefined;
  /**
   * The first seed; the others follow it.
   *
   * @default {0}
   */
  first?: number | undefined;
}

const RULES = {
  seeds: number({ least: 1, integer: true }),
  first: number({ least: 0, integer: true }),
} as const satisfies Rules<SimulateOptions>;

/**
 * Runs `test` once for each of many seeds, one after the other, each with a scheduler of its own.
 *
 * @example
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { simulate } from "@slipstream/slipstream/testing";
 *
 * await assertRejects(
 *   () =>
 *     simulate(async (scheduler) => {
 *       let count = 0;
 *       const add = async () => {
 *         const before = count;
 *         await scheduler.turn();
 *         count = before + 1;
 *       };
 *       await scheduler.run(Promise.all([add(), add()]));
 *       if (count !== 2) throw new Error(`counted ${count}`);
 *     }),
 *   Error,
 *   "Seed 0 fails: counted 1",
 * );
 * ```
 *
 * @throws {Error} At the first seed that fails: the error names it, and its cause is the error of `test`.
 */
export async function simulate(
  test: (scheduler: Scheduler) => void | Promise<void>,
  options: SimulateOptions = {},
): Promise<void> {
  const { seeds = 100, first = 0 } = readOptions("simulate", options, RULES);
  for (let seed = first; seed < first + seeds; seed++) {
    try {
      await test(new Scheduler(seed));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`Seed ${seed} fails: ${reason}`, { cause });
    }
  }
}
