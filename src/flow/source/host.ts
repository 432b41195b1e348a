/** What sources and sinks get from a run, and the companions of a source in it. */
import type { Clock } from "../../clock.ts";
import type { CheckpointSnapshot, DependencySnapshot } from "../../snapshot.ts";
import type { PartEvent } from "../../status.ts";
import type { Receipt } from "./receipt.ts";

/** Commits the positions of one snapshot. */
export type Commit = () => Promise<void>;

/** A partition that is being read. */
export interface PartState {
  /** The partition. */
  readonly partition: number;
  /** True when everything that is known to be in it has been handed out. */
  readonly caughtUp: boolean;
}

/** Sees the messages of a source whose gate is `attributed`. */
export interface Witness {
  /** A message is about to be handled; `receipt` shows when it is done. */
  begin?(message: unknown, receipt: Receipt): void;
  /** Nobody has begun with a message that was taken, and nobody will: its partition has gone, or the app stops. */
  dropped?(receipt: Receipt): void;
  /** There is no message now. */
  waits?(): void;
  /** The source has come to its end: every message that it handed out was handled. */
  ended?(): void;
}

/** What goes with sources, for whoever looks: a checkpoint. */
export interface CompanionView {
  /** What is told of it but for what only the reader of its sources knows. */
  readonly snapshot: Omit<CheckpointSnapshot, "id" | "dependent" | "dependencies">;
  /** The source that it goes with. */
  readonly dependent: object;
  /** What it depends on. */
  readonly dependencies: readonly {
    readonly snapshot: Omit<DependencySnapshot, "source">;
    readonly source: object;
    /** The times of the last heartbeats, by part. */
    readonly heard: ReadonlyMap<number | string, number>;
  }[];
  /** What it is kept in, where that is a cache. */
  readonly kept: object | undefined;
}

/** Accompanies a source through a run, and is made durable together with its positions. */
export interface Companion {
  /** Called before any source is opened; the run waits for it. */
  open(host: Host): void | Promise<void>;
  /** Called when the sources are open, before the first message; a throw ends the run. */
  start(): void;
  /**
   * Takes a snapshot that belongs to the positions acknowledged now, and returns a function that writes it: it is
   * called after the stores are flushed and before the positions are committed.
   */
  snapshot(): Commit | undefined;
  /** Tells what it knows, for whoever looks. */
  look?(): CompanionView;
  /** The run of `host` is over, also one in which {@linkcode Companion.open} failed. */
  close(host: Host): void;
}

/** The run, as the sources and sinks that it opens see it. */
export interface Host {
  /** The clock of the app. */
  readonly clock: Clock;
  /** Aborts when the run begins to stop: sources hand out nothing more. */
  readonly stopping: AbortSignal;
  /** Aborts at the hard end of the run: nothing may wait any longer. */
  readonly signal: AbortSignal;
  /** Ends the run with an error. */
  fail(error: unknown): void;
  /** Runs the commit now, or after the one in progress: flush sinks, flush stores, commit positions. */
  commit(): Promise<void>;
  /** A position moves without a message: a commit will follow. Absent where one follows anyway. */
  moved?(): void;
  /**
   * Returns true when a commit would have nothing to flush or to write: acknowledged positions may be committed
   * without one. Absent where that is unknown.
   */
  isFlushed?(): boolean;
  /** Tells whoever looks at the app what happened to a part of it. Absent while nobody looks. */
  readonly tell?: ((event: PartEvent) => void) | undefined;
}
