import { remind } from "../clock.ts";
import type { HeldSnapshot } from "../snapshot.ts";
import { settledTime } from "./chain.ts";
import type { CheckpointState } from "./checkpoint_state.ts";
import { type Dependency, internals } from "./dependency.ts";
import { positionOf } from "./replay_tracker.ts";

/** After how many milliseconds a held message is reported. */
const TOLD_AFTER_MS = 3_000;

/** A message that is held. */
interface Held {
  readonly message: unknown;
  /** Its event time. */
  readonly time: number;
  /** Since when, by the monotonic clock. */
  readonly since: number;
  readonly stopTelling: () => void;
  expired: boolean;
  cancelTimer: () => void;
}

/**
 * Mode "wait": the next message of each partition is held until the frontier has passed its time, or for
 * `maxWait` at most. Made for one run.
 */
export class HeldMessages {
  readonly #state: CheckpointState;
  readonly #held = new Map<number, Held>();
  /** The messages that were admitted because they had waited for too long. */
  readonly #givenUp = new WeakSet<object>();
  readonly #removeGuard: () => void;

  constructor(state: CheckpointState) {
    this.#state = state;
    this.#removeGuard = state.gate.guard((message) => this.#admits(message));
  }

  /** Returns whether `message` was admitted because it had waited for too long. */
  gaveUp(message: unknown): boolean {
    if (typeof message === "object" && message !== null) return this.#givenUp.has(message);
    const held = this.#held.get(partitionOf(message));
    return held !== undefined && held.message === message && held.expired;
  }

  /** What is held, for whoever looks. */
  get now(): HeldSnapshot[] {
    const { clock } = this.#state;
    return Array.from(this.#held.values(), ({ message, time, since }) => ({
      partition: positionOf(message)?.partition,
      time,
      sinceMs: Math.round(clock.monotonic() - since),
      waitsFor: this.#waitsFor(time).map(({ name }) => name),
    }));
  }

  #waitsFor(time: number): Dependency[] {
    return this.#state.settings.dependencies.filter(({ dependency: source, [internals]: known }) =>
      Math.min(known.frontier, settledTime(source)) <= time
    );
  }

  /** Holds nothing any more. */
  stop(): void {
    for (const partition of [...this.#held.keys()]) this.#release(partition);
    this.#removeGuard();
  }

  #admits(message: unknown): boolean {
    const { frontier, settings } = this.#state;
    const partition = partitionOf(message);
    const held = this.#held.get(partition);
    const time = this.#state.read(settings.time!(message));
    if (time === undefined || time < frontier) {
      this.#release(partition);
      return true;
    }
    if (held !== undefined && held.message === message) {
      if (!held.expired) return false;
      // Where messages are handled concurrently, the next one is held before this one pulses.
      if (typeof message === "object" && message !== null) this.#givenUp.add(message);
      return true;
    }
    this.#release(partition);
    this.#hold(partition, message, time);
    return false;
  }

  #hold(partition: number, message: unknown, time: number): void {
    const { clock, gate, settings: { maxWait } } = this.#state;
    const stopTelling = remind(clock, TOLD_AFTER_MS, (waitedMs) => {
      this.#tell(positionOf(message)?.partition, time, waitedMs);
    });
    const since = clock.monotonic();
    const held: Held = { message, time, since, stopTelling, expired: false, cancelTimer: () => {} };
    this.#held.set(partition, held);
    if (maxWait === Infinity) return;
    held.cancelTimer = clock.timer(() => {
      held.expired = true;
      held.stopTelling();
      gate.recheck();
    }, maxWait);
  }

  /** Tells which dependencies a message for `time` waits for. */
  #tell(partition: number | undefined, time: number, waitedMs: number): void {
    const marker = this.#state.times.markerOf(time)!;
    for (const { name, [internals]: known } of this.#waitsFor(time)) {
      const lagging = known.behind(time);
      this.#state.tell({ type: "waiting", dependency: name, lagging, partition, marker, waitedMs });
    }
  }

  #release(partition: number): void {
    const held = this.#held.get(partition);
    if (held === undefined) return;
    held.stopTelling();
    held.cancelTimer();
    this.#held.delete(partition);
  }
}

/** Returns the partition of a message; all that have none are of one. */
function partitionOf(message: unknown): number {
  return positionOf(message)?.partition ?? 0;
}
