import { type Duration, toMs } from "../duration.ts";
import { anything, callback, duration, oneOf, readOptions, type Rules } from "../options.ts";
import { describe } from "../redact.ts";
import { refusal } from "../refusal.ts";
import type { Sink } from "../flow/stage/sink.ts";
import { queueOf } from "../flow/proxy/proxy.ts";
import { isSink } from "../flow/stage/sink.ts";
import { type How, toHow } from "./aggregate.ts";
import type { Late } from "./result.ts";

/**
 * What all windows have in common.
 *
 * @typeParam M The messages.
 * @typeParam K Their keys.
 */
export interface WindowOptions<M, K = unknown> {
  /**
   * The time of a message, in milliseconds since the epoch.
   *
   * @default {(message) => message.timestamp}
   */
  time?: ((message: M) => number) | undefined;
  /**
   * How far the time of a message may be behind the greatest that its partition has had: the watermark of a partition
   * is the greatest time, less this. A window closes when the watermark passes its end.
   *
   * @default {0}
   */
  outOfOrderness?: Duration | undefined;
  /**
   * What happens while a partition is read to its end and nothing comes: `"advance"` moves the watermark on by the time
   * that passes on the clock, so that windows close; `"hold"` waits for the next message. A source without fetches (an
   * iterable, `replayable()`) counts as read to its end while its next message is waited for: set `"hold"` where that
   * may take longer than the event time moves on, as with files and pages.
   *
   * @default {"advance"}
   */
  idle?: "advance" | "hold" | undefined;
  /**
   * When results are given: `"final"` when a window closes; `"changes"` also when it has changed, at most once a
   * commit; `{ every }` also when it has changed, at most once in that time.
   *
   * @default {"final"}
   */
  emit?: "final" | "changes" | { readonly every: Duration } | undefined;
  /**
   * What becomes of a message whose windows have closed (of `session` and `sliding`: whose time is before the
   * watermark): it is dropped, or written to a sink. `{ accept }` keeps closed windows for so long, in event time, and
   * gives further revisions; what is later than that goes to `then`.
   *
   * @default {"drop"}
   */
  late?:
    | "drop"
    | Sink<Late<M, NoInfer<K>>>
    | { readonly accept: Duration; readonly then?: "drop" | Sink<Late<M, NoInfer<K>>> | undefined }
    | undefined;
  /**
   * How far the time of a message may be ahead of the clock; in a topic with `LogAppendTime`, of the time at which the
   * broker has stored it, whenever it is read. One beyond is counted in its window, and does not move
   * the watermark: one wrong clock makes nothing else late.
   *
   * @default {{ days: 1 }}
   */
  maxAhead?: Duration | undefined;
  /**
   * `"partition"`: each partition has windows of its own, which close by its watermark, so the results do not depend
   * on how partitions are spread. `"source"`: one window for all partitions, which closes when the least of their
   * watermarks has passed.
   *
   * @default {"\"partition\" with by: \"key\", \"source\" where by is a function"}
   */
  scope?: "partition" | "source" | undefined;
}

/** What a window is made with, checked. */
export interface WindowSettings {
  /** The function that made it. */
  readonly kind: string;
  readonly by: ((message: unknown) => unknown) | undefined;
  readonly time: ((message: unknown) => number) | undefined;
  readonly how: How<unknown, unknown>;
  readonly outOfOrderness: number;
  readonly advances: boolean;
  /** Milliseconds between two results of a window that changes. */
  readonly emit: "final" | "changes" | number;
  readonly accept: number;
  readonly late: unknown;
  readonly maxAhead: number;
  readonly scope: "partition" | "source";
  /** What is stored, and must not be another at the next start. */
  readonly definition: Readonly<Record<string, unknown>>;
}

const RULES = {
  by: (value, what) => {
    if (value === "key" || typeof value === "function") return value;
    throw new TypeError(refusal(what, '"key" or a function', value));
  },
  time: callback,
  into: anything,
  outOfOrderness: duration({ finite: true }),
  idle: oneOf("advance", "hold"),
  emit: anything,
  late: anything,
  maxAhead: duration({ positive: true }),
  scope: oneOf("partition", "source"),
} as const satisfies Rules<
  WindowOptions<unknown> & { by?: unknown; into?: unknown }
>;

/** The options of one kind beside those of all, and how they are read. */
export interface KindOptions {
  readonly rules: Rules<object>;
  /** Returns what is stored of the options of this kind. */
  readonly sizes: (read: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>;
  /** Whether windows are made of others. */
  readonly merges: boolean | ((read: Readonly<Record<string, unknown>>) => boolean);
  /** Why late messages cannot be accepted. */
  readonly final?: string | undefined;
  /** Whether a window gives one result. */
  readonly once?: boolean | undefined;
}

/**
 * Checks the options of a window.
 *
 * @throws {TypeError} If one is unknown, missing, or of a wrong shape.
 * @throws {RangeError} If one is out of bounds.
 */
export function readWindow(
  kind: string,
  options: object,
  { rules, sizes, merges, final, once }: KindOptions,
): { settings: WindowSettings; read: Readonly<Record<string, unknown>> } {
  const read = readOptions(kind, options as Record<string, unknown>, { ...RULES, ...rules });
  const { by, time, into, outOfOrderness = 0, idle, maxAhead = 86_400_000 } = read;
  const how = toHow(into);
  if (how === undefined) {
    throw new TypeError(
      `Cannot make a ${kind}() window: option "into" must be an aggregate, such as count(), or an object of ` +
        `aggregates, got ${describe(into)}`,
    );
  }
  const isMerged = typeof merges === "function" ? merges(read) : merges;
  if (isMerged && how.merge === undefined) {
    throw new TypeError(
      `Cannot make a ${kind}() window: its windows are made of others, so its fold() needs merge`,
    );
  }
  const scope = (read.scope ?? (typeof by === "function" ? "source" : "partition")) as
    | "partition"
    | "source";
  const { accept, late } = readLate(kind, read.late);
  if (accept > 0 && final !== undefined) {
    throw new TypeError(`Cannot accept late messages in a ${kind}() window: ${final}`);
  }
  const emit = readEmit(kind, read.emit);
  if (once && emit !== "final") {
    throw new TypeError(
      `Cannot use option "emit" of ${kind}: a window of it has one result, when the watermark reaches its message`,
    );
  }
  const definition = {
    kind,
    ...sizes(read),
    by: typeof by === "function" ? "a function" : "key",
    scope,
    into: how.name,
  };
  const settings: WindowSettings = {
    kind,
    by: typeof by === "function" ? by as (message: unknown) => unknown : undefined,
    time: time as WindowSettings["time"],
    how,
    outOfOrderness: outOfOrderness as number,
    advances: idle !== "hold",
    emit,
    accept,
    late,
    maxAhead: maxAhead as number,
    scope,
    definition,
  };
  return { settings, read };
}

function readEmit(kind: string, emit: unknown): WindowSettings["emit"] {
  if (emit === undefined || emit === "final") return "final";
  if (emit === "changes") return emit;
  if (typeof emit === "object" && emit !== null && Object.keys(emit).join() === "every") {
    const what = `option "emit.every" of ${kind}`;
    return toMs((emit as { every: unknown }).every, what, { positive: true, finite: true });
  }
  throw new TypeError(
    refusal(`option "emit" of ${kind}`, '"final", "changes" or { every: duration }', emit),
  );
}

function readLate(kind: string, late: unknown): { accept: number; late: unknown } {
  if (typeof late === "object" && late !== null && Object.hasOwn(late, "accept")) {
    const { accept, then } = readOptions(`${kind} late`, late as Record<string, unknown>, {
      accept: duration({ finite: true }),
      then: anything,
    });
    return { accept: accept as number, late: lateSink(kind, then) };
  }
  return { accept: 0, late: lateSink(kind, late) };
}

function lateSink(kind: string, late: unknown): unknown {
  if (late === undefined || late === "drop") return undefined;
  if (queueOf(late) !== undefined) {
    throw new TypeError(
      `Cannot send late messages of ${kind}() to a Proxy: nobody could tell when they are done; use another sink`,
    );
  }
  if (isSink(late)) return late;
  throw new TypeError(refusal(`option "late" of ${kind}`, '"drop", a sink or { accept }', late));
}
