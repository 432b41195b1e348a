/** Something that is waited for, and for how long. */
export interface Waiting {
  /** For what, in words. */
  readonly what: string;
  /** For how long, in milliseconds. */
  readonly sinceMs: number;
}

/** Where something happens, as far as it is known: a flow, a sink, a message. */
export interface Place {
  /** The name of the flow. */
  readonly flow?: string | undefined;
  /** The source of the flow, in words. */
  readonly source?: string | undefined;
  /** The sink that is written to, in words. */
  readonly sink?: string | undefined;
  /** The topic of the message. */
  readonly topic?: string | undefined;
  /** The partition of the message. */
  readonly partition?: number | undefined;
  /** The offset of the message in its partition. */
  readonly offset?: number | undefined;
}

/** Work for a message, or a wait, and its place. */
export interface Work extends Waiting, Place {}

/** An error and its place, without the message that it is about. */
export interface ErrorSummary extends Place {
  /** When it happened. */
  readonly at: number;
  /** The name of its class: that of what was thrown, where it was wrapped. */
  readonly name: string;
  /** What it says, without credentials. Where a handler or a codec has thrown it, it may quote the message. */
  readonly text: string;
  /** Whether `text` may quote a message, since it was not made by this library for a failure of its own. */
  readonly quotes: boolean;
  /** The first line of user code in its stack: `orders.ts:12:5`. */
  readonly line?: string | undefined;
}

/** The errors of a flow of which what was thrown has the same name. */
export interface ErrorKind {
  /** How many there were. */
  readonly count: number;
  /** The last of them. */
  readonly last: ErrorSummary;
}

/** A flow at one moment. */
export interface FlowSnapshot {
  /** Its node in the topology. */
  readonly id: string;
  /** Its name. */
  readonly flow: string;
  /** The nodes of its sources. */
  readonly sources: readonly string[];
  /** How many messages of its sources are done since the start. */
  readonly messages: number;
  /** How many messages are done per second: over the last seconds in which somebody looked, else since the start. */
  readonly rate: number;
  /** How many messages are being handled, or written to sinks. */
  readonly inFlight: number;
  /** How many messages have been read and wait for their turn. */
  readonly waiting: number;
  /** The message that has been in flight for longest. */
  readonly oldest: Work | undefined;
  /** Which attempt this is: 1, unless a step is being retried. */
  readonly attempt: number;
  /** How many steps failed: calls of the handler or of a pipe, and values at a sink. */
  readonly errors: number;
  /** How many retries were made. */
  readonly retries: number;
  /** How many messages, or values, were skipped. */
  readonly skipped: number;
  /** How many dead letters were written. */
  readonly deadLetters: number;
  /** The errors by what was thrown, the latest first; the last eight kinds of them. */
  readonly errorKinds: readonly ErrorKind[];
  /** The last error of a step, also one that a retry has repaired. */
  readonly lastError: ErrorSummary | undefined;
  /** Whether it has ended. */
  readonly ended: boolean;
}

/** How far the event time of a source has come. */
export interface Watermark {
  /** In milliseconds since 1970: no earlier message is expected, or none earlier was read. */
  readonly time: number;
  /** How far it is behind the clock, in milliseconds; negative when it is ahead. */
  readonly delayMs: number;
  /** What it is: the frontier of a checkpoint's dependency, or the time of the last message. */
  readonly of: "frontier" | "message";
}

/** A partition of a source at one moment. */
export interface PartitionSnapshot {
  /** The partition. */
  readonly partition: number;
  /** The position after the last message that is done, and all before it. */
  readonly position: number | undefined;
  /** The position of the next message that will be written to it, as far as is known. */
  readonly end: number | undefined;
  /** How many messages lie between the two. */
  readonly lag: number | undefined;
  /** The position that is committed, as far as is known. */
  readonly committed: number | undefined;
  /** Whether everything that is known to be in it was handed out. */
  readonly caughtUp: boolean;
  /** The event time of the last heartbeat, where a checkpoint depends on the source. */
  readonly heard: number | undefined;
  /** Why it is held, although its source is open. */
  readonly heldFor: readonly string[];
}

/** A source at one moment. */
export interface SourceSnapshot {
  /** Its node in the topology. */
  readonly id: string;
  /** Its name. */
  readonly source: string;
  /** How many of its messages are done since the start. */
  readonly messages: number;
  /** How many messages are done per second; see {@linkcode FlowSnapshot.rate}. */
  readonly rate: number;
  /** How many messages are known to be there that are not done; undefined where it cannot tell. */
  readonly lag: number | undefined;
  /** How many values wait in a Proxy, and for how many it has room; undefined for other sources. */
  readonly queue: { readonly size: number; readonly bound: number } | undefined;
  /** Why it is paused; empty while it is open. */
  readonly pausedFor: readonly string[];
  /** What it waits for before it can be read: a connection, an assignment. */
  readonly waitsFor: Waiting | undefined;
  /** How far its event time has come, where that is known. */
  readonly watermark: Watermark | undefined;
  /** The partitions that are read; empty in a source without partitions. */
  readonly partitions: readonly PartitionSnapshot[];
  /** Whether it delivers nothing more. */
  readonly ended: boolean;
}

/** How the windows of a flow are at one moment. */
export interface WindowCounts {
  /** How many are open. */
  readonly open: number;
  /** How many were closed since the start. */
  readonly closed: number;
  /** How many messages came too late for theirs. */
  readonly late: number;
  /** How many messages had a time too far ahead. */
  readonly ahead: number;
  /** How many results wait for a commit or for the handler. */
  readonly waiting: number;
  /** The event time by which they close: the least of the partitions; undefined before the first message. */
  readonly watermark: number | undefined;
  /** How far that is behind the clock, in milliseconds; negative when it is ahead. */
  readonly delayMs: number | undefined;
}

/** A window operator at one moment. */
export interface WindowSnapshot extends WindowCounts {
  /** Its node in the topology. */
  readonly id: string;
  /** The name of its flow. */
  readonly window: string;
}

/** A dependency of a checkpoint at one moment. Times are milliseconds of event time. */
export interface DependencySnapshot {
  /** Its name. */
  readonly dependency: string;
  /** The node of its source. */
  readonly source: string | undefined;
  /** The time of its last heartbeat. */
  readonly marker: number | undefined;
  /** The time before which everything of it is stored. */
  readonly frontier: number | undefined;
  /** Whether its source has come to its end. */
  readonly complete: boolean;
  /** Whether it is down. */
  readonly down: boolean;
  /** For how long it has been down, in milliseconds of the clock. */
  readonly downMs: number | undefined;
  /** Its slowest parts, where it has several. */
  readonly lagging: readonly (number | string)[];
  /** How many of its messages are done although no heartbeat has ever come. */
  readonly unheard: number;
}

/** A time in which a dependency was down. */
export interface OutageSnapshot {
  /** The dependency. */
  readonly dependency: string;
  /** When it was declared, by the clock. */
  readonly downAt: number;
  /** When it had recovered; undefined while it is down. */
  readonly upAt: number | undefined;
  /** The event time of its last heartbeat before. */
  readonly from: number | undefined;
  /** The event time of the pulse that recovery had to pass. */
  readonly until: number | undefined;
}

/** A correction: results that were made again. */
export interface CorrectionSnapshot {
  /** When it began, by the clock. */
  readonly at: number;
  /** When everything was handled again; undefined while it goes on. */
  readonly doneAt: number | undefined;
  /** The event times between which results were stale. */
  readonly from: number | undefined;
  /** See `from`. */
  readonly until: number | undefined;
  /** From which position on messages are handled again, by partition. */
  readonly positions: Readonly<Record<number, number>>;
  /** The dependencies whose messages came late. */
  readonly dependencies: readonly string[];
}

/** A message that a checkpoint in mode `"wait"` holds back. */
export interface HeldSnapshot {
  /** Its partition. */
  readonly partition: number | undefined;
  /** Its event time. */
  readonly time: number;
  /** For how long it has been held, in milliseconds of the clock. */
  readonly sinceMs: number;
  /** The dependencies whose frontier must pass that time. */
  readonly waitsFor: readonly string[];
}

/** A checkpoint at one moment. Times are milliseconds of event time, unless they say otherwise. */
export interface CheckpointSnapshot {
  /** Its node in the topology. */
  readonly id: string;
  /** Its name. */
  readonly checkpoint: string;
  /** The node of the dependent. */
  readonly dependent: string | undefined;
  /** Whether it corrects stale results. */
  readonly corrects: boolean;
  /** The latest time of all pulses. */
  readonly pulse: number | undefined;
  /** The time before which everything of all dependencies is stored: results for earlier times are final. */
  readonly frontier: number | undefined;
  /** Whether it pauses the dependent. */
  readonly pauses: boolean;
  /** Whether a correction goes on, or is about to begin. */
  readonly correcting: boolean;
  /** From where on results are provisional: the least time, and the position by partition. */
  readonly provisional: {
    readonly from: number | undefined;
    readonly positions: Readonly<Record<number, number>>;
    /** How many messages lie between those positions and what is done; 0 where there are no positions. */
    readonly results: number;
  };
  /** The position of the first stale result, by partition. */
  readonly stale: Readonly<Record<number, number>>;
  /** The messages that it holds back. */
  readonly held: readonly HeldSnapshot[];
  /** What it depends on. */
  readonly dependencies: readonly DependencySnapshot[];
  /** How many outages there were since it was made. */
  readonly outages: number;
  /** How many corrections there were since it was made. */
  readonly corrections: number;
  /** The last outages, the oldest first. */
  readonly lastOutages: readonly OutageSnapshot[];
  /** The last corrections, the oldest first. */
  readonly lastCorrections: readonly CorrectionSnapshot[];
}

/** A space of a store at one moment. */
export interface StoreSnapshot {
  /** The node of the store in the topology; undefined for one that no flow names. */
  readonly id: string | undefined;
  /** The name of the store. */
  readonly store: string;
  /** The name of the space; empty for the cache that was opened. */
  readonly space: string;
  /** How many entries there are; undefined in a shared store. */
  readonly entries: number | undefined;
  /** Their estimated size; undefined in a shared store. */
  readonly bytes: number | undefined;
  /** How many entries were evicted since it was opened. */
  readonly evictions: number;
  /** When the last cut has reached the disk; undefined without one. */
  readonly savedAt: number | undefined;
  /** Why the disk does not take the last cut; undefined while it does. */
  readonly failure: ErrorSummary | undefined;
}

/** The commits of an app at one moment. */
export interface CommitSnapshot {
  /** How many were completed since the start. */
  readonly commits: number;
  /** How many attempts failed. */
  readonly failures: number;
  /** When the last one was completed; undefined before the first. */
  readonly lastAt: number | undefined;
  /** How long ago that is. */
  readonly ageMs: number | undefined;
  /** How long it took. */
  readonly durationMs: number | undefined;
  /** For how long commits have failed, since the last one that did not. */
  readonly failingMs: number | undefined;
  /** The last failure. */
  readonly lastError: ErrorSummary | undefined;
  /** What the commit in progress waits for. */
  readonly waitsFor: readonly Work[];
}

/** Where an app is in its life. */
export type AppState = "idle" | "starting" | "streaming" | "stopping" | "ended";

/**
 * An app at one moment, as plain data. Times are milliseconds since 1970, durations milliseconds. What is not known is
 * undefined. No message is in it, except where the text of an error quotes one ({@linkcode ErrorSummary.quotes}).
 */
export interface AppSnapshot {
  /** The moment, by the app's clock. */
  readonly at: number;
  /** Whether it streams. */
  readonly state: AppState;
  /** When `stream()` was called last; undefined before. */
  readonly startedAt: number | undefined;
  /** When the last `stream()` ended; undefined before, and while it streams. */
  readonly endedAt: number | undefined;
  /** The first error of the last `stream()`. */
  readonly error: ErrorSummary | undefined;
  /** What it waits for, while it starts or stops. */
  readonly waitsFor: readonly Work[];
  /** The flows, in the order in which they were bound. */
  readonly flows: readonly FlowSnapshot[];
  /** The sources, in the order in which they were first named. */
  readonly sources: readonly SourceSnapshot[];
  /** The windows, if there are any. */
  readonly windows: readonly WindowSnapshot[];
  /** The checkpoints. */
  readonly checkpoints: readonly CheckpointSnapshot[];
  /** The open stores of the process: every commit flushes all of them. */
  readonly stores: readonly StoreSnapshot[];
  /** The commits of the last `stream()`; undefined before. */
  readonly commits: CommitSnapshot | undefined;
}
