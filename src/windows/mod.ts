/**
 * Event-time windows: what messages of a key amount to by the time in them, exact after a crash, and closed though
 * nothing comes any more.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App } from "@slipstream/slipstream";
 * import { count, session } from "@slipstream/slipstream/windows";
 *
 * const visits = [{ key: "ann", timestamp: 0 }, { key: "ann", timestamp: 20_000 }, { key: "ann", timestamp: 90_000 }];
 * const seen: unknown[] = [];
 * const app = new App();
 * app.handle(
 *   visits,
 *   session({ gap: { seconds: 30 }, into: count() }),
 *   ({ key, start, end, value }) => [key, start, end, value],
 *   { sink: (visit) => seen.push(visit) },
 * );
 * await app.stream();
 * assertEquals(seen, [["ann", 0, 50_000, 2], ["ann", 90_000, 120_000, 1]]);
 * ```
 *
 * @module
 */
export {
  type ByFunction,
  type ByKey,
  type CountOptions,
  countWindow,
  hopping,
  type HoppingOptions,
  type IntoOption,
  session,
  type SessionOptions,
  sliding,
  type SlidingOptions,
  tumbling,
  type TumblingOptions,
} from "./kinds.ts";
export type { CalendarSize } from "./alignment.ts";
export type { WindowOptions } from "./options.ts";
export type { Late, LateMessage, WindowResult } from "./result.ts";
export type { Aggregate, Into } from "./aggregate.ts";
export {
  collect,
  count,
  distinct,
  first,
  fold,
  type FoldOptions,
  last,
  type LimitedOptions,
  max,
  mean,
  min,
  type Scalar,
  sum,
  top,
  type TopOptions,
} from "./aggregates.ts";
export type { ExactPipe } from "../flow/stage/exact_pipes.ts";
export type { Duration } from "../duration.ts";
export type { Sink } from "../flow/stage/sink.ts";
