import { type Clock, delay } from "../../clock.ts";
import { CommitError, type Stuck } from "../../errors.ts";
import { duration, number, type Read, type Rules } from "../../options.ts";
import type { Duration } from "../../duration.ts";
import { sharedRuns } from "../../shared_runs.ts";
import type { StatusEvent } from "../../status.ts";
import { duringCommit } from "./attribution.ts";
import { runDetached } from "./current.ts";
import { openStores } from "../source/feed.ts";
import type { Companion } from "../source/host.ts";
import type { Hub } from "../source/hub.ts";
import type { Sinks } from "../stage/sinks.ts";
import type { Cut, StateGroup } from "../state/state_group.ts";

/** When sinks and stores are flushed, and positions committed. */
export interface CommitOptions {
  /**
   * The time between commits while messages are done.
   *
   * @default {1000}
   */
  interval?: Duration | undefined;
  /**
   * A commit also follows after this many messages.
   *
   * @default {Infinity}
   */
  messages?: number | undefined;
  /**
   * How long a failing commit is retried before the app stops, and how long the `flush()` of a sink may take. A Topic
   * may take its `deliveryTimeout` longer: its brokers may be away for that time.
   *
   * @default {30_000}
   */
  flushTimeout?: Duration | undefined;
}

/** What the options must be. */
export const COMMIT_RULES = {
  interval: duration({ positive: true }),
  messages: number({ least: 1 }),
  flushTimeout: duration({ positive: true }),
} as const satisfies Rules<CommitOptions>;

/** The options, with durations in milliseconds. */
export type CommitSettings = Read<CommitOptions, typeof COMMIT_RULES>;

/** What a commit needs to know of the run. */
export interface CommitHost {
  readonly clock: Clock;
  /** Aborts at the hard end: a commit that failed is not tried again. */
  readonly signal: AbortSignal;
  /** Ends the run with an error. */
  fail(error: unknown): void;
  readonly status: ((event: StatusEvent) => void) | undefined;
}

/** What a commit makes durable. */
export interface CommitScope {
  readonly hubs: Iterable<Hub<unknown>>;
  readonly companions: readonly Companion[];
  readonly sinks: Sinks;
  /** The stores that are cut where the state is whole. */
  readonly groups: readonly StateGroup[];
}

/** What has become of the commits of a run, for whoever looks. */
export interface CommitHistory {
  commits: number;
  failures: number;
  /** When the last one was completed, by the time of day. */
  lastAt: number | undefined;
  durationMs: number | undefined;
  /** Since when they fail, by the time of day. */
  failingSince: number | undefined;
  lastError: { readonly error: unknown; readonly at: number } | undefined;
}

/** What it waits for while sinks are flushed. */
const SINKS = "waits for the flush() of";

/** Milliseconds between two tries of a commit that failed. */
const RETRY_MS = 100;

/**
 * Commits progress, in this order: sinks are flushed, then stores, then the notes of the sources' companions are
 * written, then positions are committed.
 *
 * - Positions and notes are taken before the flush, and exactly those are committed: what is acknowledged
 *   meanwhile waits for the next commit.
 * - Commits never overlap; a call during one waits for one of its own, which calls share.
 * - A failed flush commits nothing.
 * - A sink whose `flush()` does not settle within `flushTimeout` and its own patience stops the app, and
 *   there is no commit any more: it would call that sink again, or pass over it.
 */
export class CommitCycle {
  readonly #scope: CommitScope;
  readonly #host: CommitHost;
  readonly #options: { readonly [K in keyof CommitSettings]-?: number };
  #delivered = 0;
  #cancelTimer: (() => void) | undefined;
  #closed = false;
  #stuck: CommitError | undefined;
  /** What has become of them, for whoever looks. */
  readonly history: CommitHistory = {
    commits: 0,
    failures: 0,
    lastAt: undefined,
    durationMs: undefined,
    failingSince: undefined,
    lastError: undefined,
  };
  /** What it waits for now. */
  #waits: { readonly what: string; readonly since: number } | undefined;

  constructor(
    scope: CommitScope,
    host: CommitHost,
    { interval = 1000, messages = Infinity, flushTimeout = 30_000 }: CommitSettings,
  ) {
    this.#scope = scope;
    this.#host = host;
    this.#options = { interval, messages, flushTimeout };
  }

  /** A message is done: a commit will follow. */
  delivered(): void {
    if (++this.#delivered < this.#options.messages) return this.follow();
    if (this.#closed) return;
    this.#delivered = 0;
    this.soon();
  }

  /** Something has changed: a commit will follow. */
  follow(): void {
    if (this.#closed || this.#cancelTimer !== undefined) return;
    this.#cancelTimer = this.#host.clock.timer(this.soon, this.#options.interval);
  }

  /** Runs a commit that begins after this call. */
  readonly run: () => Promise<void> = sharedRuns(
    // Whose message was done last does not matter.
    () => runDetached(() => this.#untilDone()),
  );

  /** True when it would have nothing to do but to commit. */
  get isFlushed(): boolean {
    const { companions, sinks, groups } = this.#scope;
    return companions.length === 0 && groups.length === 0 && openStores.size === 0 &&
      !sinks.flushes;
  }

  /** Starts no commit by itself any more. */
  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /** Runs a commit; an error ends the run. */
  readonly soon = (): void => {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.run().catch((error) => {
      if (!this.#closed) this.#host.fail(error);
    });
  };

  async #untilDone(): Promise<void> {
    const { clock, signal, status } = this.#host;
    const begin = clock.monotonic();
    if (this.#stuck !== undefined) throw this.#stuck;
    let failing: number | undefined; // since when: what a sink waited for its brokers does not count
    for (;;) {
      try {
        await this.#once();
        const durationMs = Math.round(clock.monotonic() - begin);
        this.history.commits++;
        Object.assign(this.history, { lastAt: clock.now(), durationMs, failingSince: undefined });
        status?.({ type: "commit", durationMs });
        return;
      } catch (error) {
        this.history.failures++;
        this.history.failingSince ??= clock.now();
        this.history.lastError = { error, at: clock.now() };
        status?.({ type: "commit_failed", error });
        const failure = new CommitError("Cannot commit progress", error);
        if (error === this.#scope.sinks.stuck) throw this.#stuck = failure;
        failing ??= clock.monotonic();
        if (
          clock.monotonic() - failing + RETRY_MS > this.#options.flushTimeout || signal.aborted
        ) {
          throw failure;
        }
      }
      await delay(clock, RETRY_MS, signal).catch(() => {});
    }
  }

  /** What it waits for; nothing while it does not run. */
  stuck(): Stuck[] {
    if (this.#waits === undefined) return [];
    const { what, since } = this.#waits;
    const sinceMs = Math.round(this.#host.clock.monotonic() - since);
    const { flushing } = this.#scope.sinks;
    if (what !== SINKS || flushing.size === 0) return [{ what, sinceMs }];
    return [...flushing].map(({ name, flow }) => ({ what, sink: name, flow, sinceMs }));
  }

  #waitsFor(what: string): void {
    this.#waits = { what, since: this.#host.clock.monotonic() };
  }

  async #once(): Promise<void> {
    try {
      await this.#steps();
    } finally {
      this.#waits = undefined;
    }
  }

  async #steps(): Promise<void> {
    const { hubs, companions, sinks, groups } = this.#scope;
    // What companions note must not be ahead of any state: with them it is all or nothing.
    const whole = companions.length === 0 || groups.every((group) => group.whole);
    const cuts = new Map<StateGroup, Cut>();
    for (const group of groups) {
      const cut = group.snapshot();
      if (cut !== undefined) cuts.set(group, cut);
    }
    // Of a source with state no more is committed than is in its cuts: the state would be behind.
    const commits = whole
      ? [...hubs].map(({ feed, root }) => root ? root.commitOf(cuts) : feed.snapshot?.())
      : [];
    const notes = whole ? companions.map((companion) => companion.snapshot()) : [];
    this.#waitsFor(SINKS);
    await duringCommit(groups, () => sinks.flush(this.#options.flushTimeout));
    this.#host.signal.throwIfAborted(); // the hard end makes nothing durable
    this.#waitsFor("a cache is being flushed");
    const stores = [...openStores].filter((store) => store.driven !== true);
    await Promise.all([
      ...stores.map((store) => store.flush()),
      ...[...cuts.values()].map((cut) => cut.save()),
    ]);
    this.#host.signal.throwIfAborted(); // and commits nothing
    this.#waitsFor("the notes of checkpoints are being written");
    await duringCommit(groups, () => Promise.all(notes.map((write) => write?.())));
    this.#host.signal.throwIfAborted();
    this.#waitsFor("positions are being committed");
    await Promise.all(commits.map((commit) => commit?.()));
  }
}
