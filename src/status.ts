import type { FlowFailure } from "./types.ts";

/**
 * The events of an app, for `onStatus`. Times are milliseconds. Without a listener nothing is collected, and the cost is
 * next to nothing.
 */
export type StatusEvent =
  /** `stream()` has opened everything and messages begin to flow. */
  | { readonly type: "started"; readonly flows: readonly string[] }
  /** A source was paused or resumed; `reasons` are the remaining ones. */
  | { readonly type: "gate"; readonly source: string; readonly reasons: readonly string[] }
  /** A step failed and will be retried after `delayMs`. */
  | {
    readonly type: "retry";
    readonly flow: string;
    readonly attempt: number;
    readonly delayMs: number;
    readonly error: FlowFailure;
  }
  /** A step failed and the flow continued without it. */
  | { readonly type: "skipped"; readonly flow: string; readonly error: FlowFailure }
  /** A step failed and the dead-letter sink has taken it: once for each message, and for a batch once as a whole. */
  | { readonly type: "dead_letter"; readonly flow: string; readonly error: FlowFailure }
  /** Sinks and stores are flushed and positions committed. */
  | { readonly type: "commit"; readonly durationMs: number }
  /**
   * Sent each second and after the last commit, for each source, whatever it waits for: `messages` were done since
   * the start; `lag` is how many more there are. It is undefined where a source cannot know it: only a Topic can,
   * once it was assigned its partitions. `inFlight` messages were taken from the source and are not done, and nobody
   * has begun to handle `waiting` of these, or they wait for one before them at a window: more than one only with the
   * option `concurrency`.
   */
  | {
    readonly type: "progress";
    readonly source: string;
    readonly messages: number;
    readonly lag: number | undefined;
    readonly inFlight: number;
    readonly waiting: number;
  }
  /**
   * Sent each second while a source is not read, in apps with `concurrency`: too many of its messages are taken and not
   * done (`bound` is the option of `concurrency` that says how many), or a commit needs one that is not done, because
   * a window has it or a Checkpoint watches (`"commit"`). All wait for that one, or for the oldest, which was taken
   * `ageMs` ago; `waiting` others are in flight.
   */
  | {
    readonly type: "blocked";
    readonly source: string;
    readonly bound: "ahead" | "span" | "commit";
    readonly partition: number | undefined;
    readonly offset: number | undefined;
    readonly key: unknown;
    readonly ageMs: number;
    readonly waiting: number;
  }
  /**
   * Sent each second and after the last commit, for each flow with a window. Since the one before, `closed` windows
   * have closed, `late` messages came too late for one, and `ahead` had a time too far ahead; `waiting` results wait
   * for a commit or for the handler. `watermark` is the least of the partitions, `delayMs` how far it is behind the
   * clock; undefined before the first message.
   */
  | {
    readonly type: "windows";
    readonly flow: string;
    readonly source: string;
    readonly closed: number;
    readonly late: number;
    readonly ahead: number;
    readonly waiting: number;
    readonly watermark: number | undefined;
    readonly delayMs: number | undefined;
  }
  /**
   * A partition was silent for so long that a window closes: its watermark has gone on with the clock. Of a source that
   * has ended beside others, it has followed theirs.
   */
  | {
    readonly type: "idle_advance";
    readonly flow: string;
    readonly source: string;
    readonly partition: number;
    readonly watermark: number;
  }
  /** Caches evicted entries (`maxBytes`) since the `progress` before. */
  | { readonly type: "evicted"; readonly entries: number }
  /**
   * Writers of a cache have waited for `waitedMs` for a slow reader with `overflow: "wait"`: `updates` are waiting
   * for the reader of that name. Sent every five seconds, to all running apps of the process.
   */
  | {
    readonly type: "updates_waiting";
    readonly cache: string;
    readonly reader: string;
    readonly updates: number;
    readonly waitedMs: number;
  }
  /** A commit failed and will be retried. */
  | { readonly type: "commit_failed"; readonly error: unknown }
  /** A source delivers no more messages; `messages` were done. */
  | { readonly type: "source_ended"; readonly source: string; readonly messages: number }
  /** A flow has ended. */
  | { readonly type: "flow_ended"; readonly flow: string }
  /** An error that ends the run. */
  | { readonly type: "error"; readonly error: unknown }
  /** The run begins to stop: sources deliver no more messages. */
  | { readonly type: "stopping" }
  /** The run is over. */
  | { readonly type: "ended"; readonly error: unknown };

/** What a part of a run tells of itself, for whoever looks: a checkpoint, a source or a sink. */
export interface PartEvent {
  /** What it is. */
  readonly type: "checkpoint" | "topic";
  /** Its name. */
  readonly name: string;
  /**
   * What happened, as its own `onStatus` is told. Of a message it may have `key` and `value`, which are shown to nobody;
   * the `error` of a topic is one of its connection, and is shown.
   */
  readonly event: { readonly type: string };
}
