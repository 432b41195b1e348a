import type { FailedStep } from "./types.ts";

/**
 * What an app tells whoever listens (`onStatus`). Times are milliseconds. Nothing is collected, and next
 * to nothing is spent, when nobody listens.
 */
export type StatusEvent =
  /** `stream()` has opened everything and messages begin to flow. */
  | { readonly type: "started"; readonly flows: readonly string[] }
  /** A source was paused or resumed; `reasons` are those that are left. */
  | { readonly type: "gate"; readonly source: string; readonly reasons: readonly string[] }
  /** A step failed and will be repeated after `delayMs`. */
  | {
    readonly type: "retry";
    readonly flow: string;
    readonly attempt: number;
    readonly delayMs: number;
    readonly error: FailedStep;
  }
  /** A step failed and the flow went on without it. */
  | { readonly type: "skipped"; readonly flow: string; readonly error: FailedStep }
  /** A step failed and the dead-letter sink has taken it: told for each message, of a batch for all of it. */
  | { readonly type: "dead_letter"; readonly flow: string; readonly error: FailedStep }
  /** Sinks and stores are flushed and positions committed. */
  | { readonly type: "barrier"; readonly durationMs: number }
  /**
   * Each second and after the last barrier, for each source, whatever it waits for: `messages` were done
   * since the start; `lag` is how many more are there. Undefined where a source cannot tell: other than a
   * Topic never, a Topic not before it was assigned its partitions.
   */
  | {
    readonly type: "progress";
    readonly source: string;
    readonly messages: number;
    readonly lag: number | undefined;
  }
  /** The windows of caches (`maxBytes`) dropped entries since the `progress` before. */
  | { readonly type: "evicted"; readonly entries: number }
  /**
   * Writers of a cache have waited for `waitedMs` until somebody reads on who has `overflow: "wait"`: `updates` wait
   * for the reader of that name. Told every five seconds, to all apps of the process that run.
   */
  | {
    readonly type: "updates_waiting";
    readonly cache: string;
    readonly reader: string;
    readonly updates: number;
    readonly waitedMs: number;
  }
  /** A barrier failed and will be tried again. */
  | { readonly type: "barrier_failed"; readonly error: unknown }
  /** A source hands out nothing more; `messages` were done. */
  | { readonly type: "source_ended"; readonly source: string; readonly messages: number }
  /** A flow has ended. */
  | { readonly type: "flow_ended"; readonly flow: string }
  /** An error that ends the run. */
  | { readonly type: "error"; readonly error: unknown }
  /** The run begins to stop: sources hand out nothing more. */
  | { readonly type: "stopping" }
  /** The run is over. */
  | { readonly type: "ended"; readonly error: unknown };
