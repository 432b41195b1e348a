/**
 * What tests of streaming code need: a clock that is moved by hand.
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
export { ManualClock, settle } from "./manual_clock.ts";
