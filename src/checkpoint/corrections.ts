import { runDetached } from "../flow/run/current.ts";
import type { CheckpointState } from "./checkpoint_state.ts";
import type { Dependency } from "./dependency.ts";
import type { Outages } from "./outages.ts";

/** After how many milliseconds partitions are looked for again that are about to be read. */
const RETRY_MS = 20;

/**
 * Decides when stale results are corrected, after an outage or without one, and moves the dependent back to
 * the first of them. One move after the other: reading is paused, the messages in flight are finished by all
 * flows, then the dependent moves, and reading goes on last.
 */
export class Corrections {
  readonly #state: CheckpointState;
  readonly #outages: Outages;
  readonly #rested: () => void;
  readonly #pauseReason: string;
  /** The first stale positions when a recovery began, while its callback runs. */
  staleAtRecovery: ReadonlyMap<number, number> | undefined;

  /** The names of the dependencies that made results stale. */
  readonly #causes = new Set<string>();
  /** What the frontier must pass before they are corrected without an outage; undefined when none are. */
  #target: number | undefined;
  /** They have waited for `correctAfter`. */
  #overdue = false;
  #cancelTimer: (() => void) | undefined;
  /** Set while stale results wait for their partition to be read. */
  #cancelRetry: (() => void) | undefined;

  /** Settles when the last that runs at rest is over. */
  #last: Promise<void> = Promise.resolve();
  /** How many run at rest, or wait for that. */
  #running = 0;

  /** Calls `rested` after each time that no message of the dependent was in flight. */
  constructor(state: CheckpointState, outages: Outages, rested: () => void) {
    this.#state = state;
    this.#outages = outages;
    this.#rested = rested;
    this.#pauseReason = `correction of checkpoint ${state.name}`;
  }

  /** True while the dependent is being moved, or about to be. */
  get busy(): boolean {
    return this.#running > 0;
  }

  /** Results may be stale because of `cause`: they are corrected once the frontier has passed all pulses so far. */
  schedule(cause?: string): void {
    if (cause !== undefined) this.#causes.add(cause);
    if (this.#target !== undefined) return;
    const { host, latestPulse, settings: { correctAfter } } = this.#state;
    this.#target = latestPulse;
    if (correctAfter === Infinity || host === undefined) return;
    this.#cancelTimer = this.#state.timer(() => {
      this.#overdue = true;
      this.correctIfDue();
    }, correctAfter);
  }

  /** Nothing is to be corrected: it is being done, or the run is over. */
  unschedule(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#causes.clear();
    this.#target = undefined;
    this.#overdue = false;
  }

  /** Corrects stale results without an outage, when it is time. */
  correctIfDue(): void {
    const state = this.#state;
    if (!state.settings.correct || this.#outages.any || this.busy) return;
    if (state.host === undefined || !this.#isDue) return;
    if (!state.gate.seekable) return; // its source has ended, or is being closed: the next run corrects
    state.inBackground(() =>
      this.#atRest(async () => {
        if (!this.#outages.any) await this.#moveBack();
      })
    );
  }

  /**
   * No dependency is down any more, `last` was the last: corrects stale results, calls the recovery callback,
   * and lets the dependent go on.
   */
  recover(last: Dependency): Promise<void> {
    const { view, results, settings: { correct, recoveryCallback } } = this.#state;
    return this.#atRest(async () => {
      if (this.#outages.any) return;
      this.staleAtRecovery = results.stale;
      try {
        if (correct) await this.#moveBack();
        await recoveryCallback?.(view, last);
      } finally {
        this.staleAtRecovery = undefined;
        if (!correct) {
          results.clearStale();
          this.unschedule();
        }
        if (!this.#outages.any) this.#outages.resume();
      }
    });
  }

  get #isDue(): boolean {
    if (this.#cancelRetry !== undefined) return false;
    return this.#target !== undefined && (this.#overdue || this.#state.frontier > this.#target);
  }

  /** Takes `step` while no message of the dependent is in flight, and none begins. */
  #atRest(step: () => Promise<void>): Promise<void> {
    const { gate, tracker } = this.#state;
    this.#running++;
    const done = runDetached(() => {
      gate.pause(this.#pauseReason);
      return this.#last.then(async () => {
        try {
          await tracker.idle();
          await step();
        } finally {
          if (--this.#running === 0) gate.resume(this.#pauseReason);
        }
      }).finally(this.#rested);
    });
    this.#last = done.catch(() => {}); // the caller of this is told
    return done;
  }

  /** Moves every partition back to its first stale result. */
  async #moveBack(): Promise<void> {
    const { gate, tracker, results, settings } = this.#state;
    const begins = results.areStale ? await gate.beginnings() : undefined;
    if (!gate.seekable) return;
    const stale = results.stale;
    const assigned = gate.parts && new Set([...gate.parts].map(({ partition }) => partition));
    let coming = false; // partitions that are handed off are forgotten when they go: others are about to be read
    for (const partition of stale.keys()) {
      if (assigned !== undefined && assigned.size > 0 && !assigned.has(partition)) {
        stale.delete(partition);
        coming = settings.partitions !== undefined;
      }
    }
    if (begins !== undefined) this.#giveUpLost(stale, begins);
    const dependencies = [...this.#causes];
    if (!coming) this.unschedule();
    else this.#retryLater();
    const { from, moved } = tracker.moveBack(stale, dependencies);
    if (Object.keys(from).length > 0) this.#state.tell({ type: "correcting", from, dependencies });
    await moved;
  }

  /** Tries again soon: at once would leave whoever assigns the partitions no time. */
  #retryLater(): void {
    if (this.#state.host === undefined) return;
    this.#cancelRetry ??= this.#state.timer(() => {
      this.#cancelRetry = undefined;
      this.correctIfDue();
    }, RETRY_MS);
  }

  /** Replaces stale positions that have left the log by its beginning, and tells it. */
  #giveUpLost(stale: Map<number, number>, begins: ReadonlyMap<number, number>): void {
    const from: Record<number, number> = {};
    const to: Record<number, number> = {};
    for (const [partition, position] of stale) {
      const begin = begins.get(partition) ?? position;
      if (position >= begin) continue;
      this.#state.results.rewind(partition, position); // those messages are gone
      stale.set(partition, to[partition] = begin);
      from[partition] = position;
    }
    if (Object.keys(from).length > 0) this.#state.tell({ type: "lost", from, to });
  }
}
