/**
 * Tools to test streaming code: a clock that the test advances, and a scheduler that tries many interleavings,
 * each repeatable by its seed.
 *
 * @example
 * ```ts
 * import { ManualClock } from "@slipstream/slipstream/testing";
 *
 * const clock = new ManualClock();
 * await clock.tick(1000);
 * ```
 *
 * @module
 */
export type { Clock } from "../clock.ts";
export { ManualClock, settle } from "./manual_clock.ts";
export { Random } from "./random.ts";
export { type RunOptions, Scheduler } from "./scheduler.ts";
export { simulate, type SimulateOptions } from "./simulate.ts";
