import { must, number, readOptions, type Rule } from "../../options.ts";
import { refusal } from "../../refusal.ts";

/**
 * How many messages of a flow are handled at the same time, and which of them keep their order.
 *
 * @typeParam I The messages of the source.
 */
export interface ConcurrencyOptions<I = unknown> {
  /**
   * The maximum number of messages handled at the same time, counted over all sources of a merge, and with them the
   * results of a window.
   */
  max: number;
  /**
   * Which messages keep their order: those of one key are handled one after the other, in the order of the source, to
   * the end of their sinks.
   *
   * - `"key"`: by the key of the message. One without a key (`null` or `undefined`) keeps the order of its partition.
   * - `"partition"`: by its partition. A source without partitions, and a Proxy, counts as one.
   * - `"none"`: no order is kept.
   * - A function returns the key of a message as the source gave it, before any pipe: a string, a number, a bigint,
   *   a boolean, bytes, a `Date` or plain data, where equal data is one key; `null` or `undefined` for none. Any other
   *   value is an error that meets `onError`, and so is what the function throws.
   *
   * @default {"\"key\" for a Topic; other sources require it"}
   */
  by?: "key" | "partition" | "none" | ((message: I) => unknown) | undefined;
  /**
   * The maximum number of messages in flight, for each source: taken from it and not done, because they wait for their
   * key or for a slot, are being handled, or wait for a retry. At this bound the source is not read; see the status
   * event `"blocked"`. If several flows read the source, the least bound counts. At least `max`; may be `Infinity`.
   *
   * @default {16 * max}
   */
  ahead?: number | undefined;
  /**
   * The maximum number of messages of one partition from its acknowledged position to the newest one taken. Those of
   * them that are done wait for an earlier one to be committed; if the process is killed, they are handled again,
   * unless the flow has a `state`. At this bound the source is not read. Each takes about 200 bytes, with a `state`
   * about 500. If several flows read the source, the least bound counts. May be `Infinity`.
   *
   * @default {100_000}
   */
  span?: number | undefined;
}

/** The options, checked and with their defaults. */
export interface Concurrency {
  readonly max: number;
  readonly by: "key" | "partition" | "none" | ((message: unknown) => unknown) | undefined;
  readonly ahead: number;
  readonly span: number;
}

const RULES = {
  max: number({ least: 1, integer: true }),
  by: must(
    '"key", "partition", "none" or a function',
    (value) =>
      typeof value === "function" || ["key", "partition", "none"].includes(value as string),
  ),
  ahead: number({ least: 1, integer: "or Infinity" }),
  span: number({ least: 1, integer: "or Infinity" }),
} as const;

/** The concurrency of a flow, with its defaults. */
export const concurrency: Rule<Concurrency> = (value, what) => {
  const owner = what.replace(/^option /, "");
  const options = readOptions(owner, value as ConcurrencyOptions, RULES, ["max"]);
  const { max, by, ahead = 16 * max, span = 100_000 } = options as
    & ConcurrencyOptions
    & Pick<Concurrency, "by">;
  if (ahead >= max) return { max, by, ahead, span };
  throw new RangeError(
    refusal(`option "ahead" of ${owner}`, `at least max, which is ${max}`, ahead),
  );
};
