import { must, number, readOptions, type Rule } from "../../options.ts";
import { refusal } from "../../refusal.ts";

/**
 * How many messages of a flow are handled at the same time, and which of them keep their order.
 *
 * @typeParam I The messages of the source.
 */
export interface ConcurrencyOptions<I = unknown> {
  /** How many messages are handled at the same time, at most; over all sources, where several are merged. */
  max: number;
  /**
   * Messages of one key are handled one after the other, in the order of the source, to the end of their sinks. The
   * key is that of the message (`"key"`), its partition, none at all, or what a function returns for a message as
   * the source gave it, before any pipe: a string, a number, a bigint, a boolean, bytes or plain data. A message
   * without a key (`null` or `undefined`) keeps the order of its partition.
   *
   * @default {"\"key\" for a Topic; other sources require it"}
   */
  by?: "key" | "partition" | "none" | ConcurrencyKey<I>["key"] | undefined;
  /**
   * How many messages may be taken from a source and not done: those that wait for their key or a slot, those being
   * handled, and those that wait for a retry. At this bound reading stops; see the status event `"blocked"`.
   *
   * @default {16 * max}
   */
  ahead?: number | undefined;
  /**
   * How many messages of one partition may lie between its acknowledged position and the newest one taken. They are
   * done already, but wait for one before them; if the process is killed, they are handled again. At this bound
   * reading stops.
   *
   * @default {100_000}
   */
  span?: number | undefined;
}

/** For the type of a function alone: as a method, it may take more than the messages of the source. */
interface ConcurrencyKey<I> {
  key(message: I): unknown;
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
