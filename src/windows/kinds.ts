import type { Duration } from "../duration.ts";
import { duration, number, oneOf, readOptions } from "../options.ts";
import { type ExactPipe, type ExactStage, makeStage } from "../flow/stage/exact_pipes.ts";
import { stage } from "../flow/stage/stage.ts";
import { refusal } from "../refusal.ts";
import type { MessageKey } from "../types.ts";
import type { Into } from "./aggregate.ts";
import { AlignedWindows } from "./aligned_windows.ts";
import { calendarAlignment, type CalendarSize, fixedAlignment, UNITS } from "./alignment.ts";
import { CountWindows } from "./count_windows.ts";
import { HoppingWindows } from "./hopping_windows.ts";
import {
  type KindOptions,
  readWindow,
  type WindowOptions,
  type WindowSettings,
} from "./options.ts";
import type { WindowResult } from "./result.ts";
import { SessionWindows } from "./session_windows.ts";
import { SlidingWindows } from "./sliding_windows.ts";
import { type MakeWindows, WindowStage } from "./window_stage.ts";

/** Windows by the key of the messages. */
export interface ByKey {
  /**
   * What messages are grouped by: their key, or what a function returns.
   *
   * @default {"key"}
   */
  by?: "key" | undefined;
}

/**
 * Windows by what a function returns.
 *
 * @typeParam M The messages.
 * @typeParam K The key.
 */
export interface ByFunction<M, K> {
  /** What messages are grouped by: a string, number, bigint, boolean or `Uint8Array`, or an array of these. */
  by: (message: M) => K;
}

/**
 * What becomes of the messages of a window.
 *
 * @typeParam M The messages.
 * @typeParam R The value of a result.
 */
export interface IntoOption<M, R> {
  /** An aggregate, or an object of several. */
  into: Into<M, R>;
}

/** The options of {@linkcode tumbling} beside those of all windows. */
export interface TumblingOptions {
  /** How long a window is: a duration, counted from the epoch, or a unit of the calendar in a time zone. */
  size: Duration | CalendarSize;
}

/** The options of {@linkcode hopping} beside those of all windows. */
export interface HoppingOptions {
  /** How long a window is. */
  size: Duration;
  /** How often one begins, counted from the epoch. */
  every: Duration;
}

/** The options of {@linkcode session} beside those of all windows. */
export interface SessionOptions {
  /** After how long without a message a session is over. */
  gap: Duration;
}

/** The options of {@linkcode sliding} beside those of all windows. */
export interface SlidingOptions {
  /** How far a window reaches back from its message. */
  size: Duration;
}

/** The options of {@linkcode countWindow} beside those of all windows. */
export interface CountOptions {
  /** How many messages are in a window. */
  size: number;
  /**
   * After how many messages a window closes: with fewer than `size`, windows overlap. The first ones have what there
   * is.
   *
   * @default {size}
   */
  every?: number | undefined;
}

const length = duration({ positive: true, whole: true });

function pipe<M, R>(
  kind: string,
  options: object,
  kindOptions: KindOptions,
  toMake: (read: Readonly<Record<string, unknown>>) => MakeWindows,
): ExactPipe<M, R> {
  const { settings, read } = readWindow(kind, options, kindOptions);
  const make = toMake(read);
  const made: ExactStage<M, R> = {
    holds: false,
    ticks: kind,
    uncorrectable: whyUncorrectable(settings),
    [makeStage](place) {
      const windows = place.ticking!.share(() => new WindowStage(settings, make, place));
      return stage<M, R>((emit) => windows.into(emit as (value: unknown) => void, place));
    },
  };
  return made;
}

/** Why windows cannot follow corrections; undefined when they can. */
function whyUncorrectable({ kind, scope, how }: WindowSettings): string | undefined {
  if (kind !== "tumbling") return "only tumbling() does that yet";
  if (scope !== "partition") return 'it does that only with by: "key", or scope: "partition"';
  if (how.remove === undefined) return "only count(), sum() and mean() can take a message back";
  return undefined;
}

function needed(kind: string, name: string, value: unknown): void {
  if (value !== undefined) return;
  throw new TypeError(`Cannot make a ${kind}() window without ${JSON.stringify(name)}`);
}

/** Reads a calendar size, or a duration. */
function readSize(value: unknown, what: string): number | CalendarSize {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, "unit")) {
    return length(value, what);
  }
  const { unit, timeZone = "UTC" } = readOptions("a calendar size", value as CalendarSize, {
    unit: oneOf(...UNITS),
    timeZone(zone) {
      try {
        if (typeof zone === "string") {
          Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone);
          return zone;
        }
      } catch { /* told below */ }
      throw new TypeError(
        refusal('option "timeZone" of a calendar size', "an IANA time zone", zone),
      );
    },
  });
  return { unit, timeZone };
}

/**
 * Windows of one size that follow each other: each message is in one of them. A window closes when the watermark
 * passes its end.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App } from "@slipstream/slipstream";
 * import { count, sum, tumbling } from "@slipstream/slipstream/windows";
 *
 * const clicks = [
 *   { key: "a", timestamp: 0, amount: 1 },
 *   { key: "a", timestamp: 59_000, amount: 2 },
 *   { key: "a", timestamp: 60_000, amount: 3 },
 * ];
 * const seen: unknown[] = [];
 * const app = new App();
 * app.handle(
 *   clicks,
 *   tumbling({ size: { minutes: 1 }, into: { n: count(), total: sum((click) => click.amount) } }),
 *   ({ key, start, value }) => [key, start, value],
 *   { sink: (result) => seen.push(result) },
 * );
 * await app.stream();
 * assertEquals(seen, [["a", 0, { n: 2, total: 3 }], ["a", 60_000, { n: 1, total: 3 }]]);
 * ```
 *
 * @throws {TypeError} If an option is missing, unknown or of a wrong shape.
 * @throws {RangeError} If a duration is out of bounds.
 */
export function tumbling<M, K, R>(
  options: TumblingOptions & ByFunction<M, K> & WindowOptions<M, K> & IntoOption<M, R>,
): ExactPipe<M, WindowResult<K, R>>;
/** The same by the key of the messages. */
export function tumbling<M, R>(
  options: TumblingOptions & ByKey & WindowOptions<M, MessageKey<M>> & IntoOption<M, R>,
): ExactPipe<M, WindowResult<MessageKey<M>, R>>;
export function tumbling(options: object): ExactPipe<unknown, unknown> {
  return pipe("tumbling", options, {
    rules: { size: readSize },
    sizes({ size }) {
      needed("tumbling", "size", size);
      return { size };
    },
    merges: false,
  }, ({ size }) => {
    const alignment = typeof size === "number"
      ? fixedAlignment(size)
      : calendarAlignment(size as CalendarSize);
    return (host) => new AlignedWindows(host, alignment);
  });
}

/** The most messages of a count window. */
const MOST_MESSAGES = 1_000_000;

/** The most windows that a message may be in. */
const MOST_WINDOWS = 10_000;

/**
 * Windows of one size that begin every so often, and overlap: a message is in `size / every` of them, and added once, to
 * a pane that these windows share.
 *
 * @throws {TypeError} If an option is missing, unknown or of a wrong shape.
 * @throws {RangeError} If a duration is out of bounds, or `every` longer than `size`.
 */
export function hopping<M, K, R>(
  options: HoppingOptions & ByFunction<M, K> & WindowOptions<M, K> & IntoOption<M, R>,
): ExactPipe<M, WindowResult<K, R>>;
/** The same by the key of the messages. */
export function hopping<M, R>(
  options: HoppingOptions & ByKey & WindowOptions<M, MessageKey<M>> & IntoOption<M, R>,
): ExactPipe<M, WindowResult<MessageKey<M>, R>>;
export function hopping(options: object): ExactPipe<unknown, unknown> {
  return pipe("hopping", options, {
    rules: { size: length, every: length },
    sizes({ size, every }) {
      needed("hopping", "size", size);
      needed("hopping", "every", every);
      const windows = (size as number) / (every as number);
      if (windows < 1 || windows > MOST_WINDOWS) {
        throw new RangeError(
          `Cannot make a hopping() window: every (${every} ms) must be at most size (${size} ms), and a message ` +
            `may be in ${MOST_WINDOWS} windows at most`,
        );
      }
      return { size, every };
    },
    merges: true,
  }, ({ size, every }) => {
    return (host) => new HoppingWindows(host, size as number, every as number);
  });
}

/**
 * Sessions: messages of a key with less than `gap` between two of them. A session closes when the watermark passes its
 * last message and the gap. A message may join sessions that were given apart: the result `replaces` the others.
 * One whose time is before the watermark is late, also while its session is open: set `outOfOrderness`.
 *
 * @throws {TypeError} If an option is missing, unknown or of a wrong shape.
 * @throws {RangeError} If a duration is out of bounds.
 */
export function session<M, K, R>(
  options: SessionOptions & ByFunction<M, K> & WindowOptions<M, K> & IntoOption<M, R>,
): ExactPipe<M, WindowResult<K, R>>;
/** The same by the key of the messages. */
export function session<M, R>(
  options: SessionOptions & ByKey & WindowOptions<M, MessageKey<M>> & IntoOption<M, R>,
): ExactPipe<M, WindowResult<MessageKey<M>, R>>;
export function session(options: object): ExactPipe<unknown, unknown> {
  return pipe("session", options, {
    rules: { gap: length },
    sizes({ gap }) {
      needed("session", "gap", gap);
      return { gap };
    },
    merges: true,
  }, ({ gap }) => (host) => new SessionWindows(host, gap as number));
}

/**
 * A window for each message: it has the messages of the key up to it, in the order of time, and less than `size` before
 * it. Its result is given when the watermark reaches the message: at once without `outOfOrderness`.
 *
 * @throws {TypeError} If an option is missing, unknown or of a wrong shape.
 * @throws {RangeError} If a duration is out of bounds.
 */
export function sliding<M, K, R>(
  options: SlidingOptions & ByFunction<M, K> & WindowOptions<M, K> & IntoOption<M, R>,
): ExactPipe<M, WindowResult<K, R>>;
/** The same by the key of the messages. */
export function sliding<M, R>(
  options: SlidingOptions & ByKey & WindowOptions<M, MessageKey<M>> & IntoOption<M, R>,
): ExactPipe<M, WindowResult<MessageKey<M>, R>>;
export function sliding(options: object): ExactPipe<unknown, unknown> {
  return pipe("sliding", options, {
    rules: { size: length },
    sizes({ size }) {
      needed("sliding", "size", size);
      return { size };
    },
    merges: true,
    once: true,
    final: "each window after the message would change; give it outOfOrderness",
  }, ({ size }) => (host) => new SlidingWindows(host, size as number));
}

/**
 * Windows of `size` messages of a key, in the order of arrival; a result has an `index`. They close by their last
 * message, so none is late. What is left is given when the source ends.
 *
 * @throws {TypeError} If an option is missing, unknown or of a wrong shape.
 * @throws {RangeError} If `size` is not a positive integer.
 */
export function countWindow<M, K, R>(
  options: CountOptions & ByFunction<M, K> & WindowOptions<M, K> & IntoOption<M, R>,
): ExactPipe<M, WindowResult<K, R>>;
/** The same by the key of the messages. */
export function countWindow<M, R>(
  options: CountOptions & ByKey & WindowOptions<M, MessageKey<M>> & IntoOption<M, R>,
): ExactPipe<M, WindowResult<MessageKey<M>, R>>;
export function countWindow(options: object): ExactPipe<unknown, unknown> {
  return pipe("countWindow", options, {
    rules: {
      size: number({ least: 1, most: MOST_MESSAGES, integer: true }),
      every: number({ least: 1, integer: true }),
    },
    sizes({ size, every = size }) {
      needed("countWindow", "size", size);
      if ((every as number) > (size as number)) {
        throw new RangeError(
          `Cannot make a countWindow(): every (${every}) must be at most size (${size})`,
        );
      }
      return { size, every };
    },
    merges: ({ size, every = size }) => every !== size,
    final: "no message is late there",
  }, ({ size, every = size }) => (host) => {
    return new CountWindows(host, size as number, every as number);
  });
}
