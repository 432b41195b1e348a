import type { Clock } from "../clock.ts";
import { runDetached } from "../flow/run/current.ts";
import { type Gate, gateOf } from "../flow/source/gate.ts";
import { settledTime } from "./chain.ts";
import type { CheckpointState } from "./checkpoint_state.ts";
import { type Dependency, internals } from "./dependency.ts";

/** Which dependencies are down: how an outage begins, how long the dependent is paused, and how it ends. */
export class Outages {
  readonly #state: CheckpointState;
  readonly #dependencies: readonly Dependency[];
  readonly #idleTimeouts = new Map<Dependency, IdleTimeout>();
  readonly #pauseReason: string;
  #paused = false;
  #cancelPauseTimer: (() => void) | undefined;

  constructor(state: CheckpointState) {
    this.#state = state;
    this.#dependencies = state.settings.dependencies;
    this.#pauseReason = `checkpoint ${state.name}`;
  }

  /** The names of the dependencies that are down. */
  get names(): string[] {
    return this.#dependencies.filter(({ isDown }) => isDown).map(({ name }) => name);
  }

  /** True while any is down. */
  get any(): boolean {
    for (const dependency of this.#dependencies) if (dependency[internals].down) return true;
    return false;
  }

  /** True while the dependent is paused. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Returns for how long `dependency` has been down at the pulse for `time`; undefined when it is not. */
  downtime(dependency: Dependency, time: number): number | undefined {
    const { downtimeCheck, downtimeThreshold } = dependency.settings;
    const { frontier, marker } = dependency[internals];
    if (frontier === Infinity) return undefined; // it is complete
    if (downtimeCheck !== undefined) return downtimeCheck(this.#state.view, dependency);
    return time - marker > downtimeThreshold ? time - marker : undefined;
  }

  /** An outage of `dependency` begins, and is reported; returns false when it was down already. */
  declare(dependency: Dependency, downtimeMs?: number): boolean {
    const known = dependency[internals];
    if (known.down) return false;
    known.down = true;
    known.target = this.#state.latestPulse;
    const { lagging } = known;
    const event = { type: "down", dependency: dependency.name, downtimeMs } as const;
    this.#state.tell(lagging.length === 0 ? event : { ...event, lagging });
    this.#state.tellUnheard(dependency);
    return true;
  }

  /** The latest pulse is later than it was when the outages began: recovery must pass that one too. */
  raiseTargets(): void {
    for (const dependency of this.#dependencies) {
      const known = dependency[internals];
      if (known.down) known.target = this.#state.latestPulse;
    }
  }

  /** Ends the outages of those that have caught up, and returns them. */
  recover(): Dependency[] {
    const recovered: Dependency[] = [];
    for (const dependency of this.#dependencies) {
      const known = dependency[internals];
      if (!known.down || !runDetached(() => this.#hasCaughtUp(dependency))) continue;
      known.down = false;
      recovered.push(dependency);
    }
    return recovered;
  }

  /** Returns whether `dependency` is down and will still be once everything that has arrived is stored. */
  isLate(dependency: Dependency): boolean {
    const { view, settings: { correct } } = this.#state;
    const { down, expected, frontier, target } = dependency[internals];
    if (!down) return false;
    const { recoveryCheck } = dependency.settings;
    const passed = Math.max(expected, frontier) > target;
    if (recoveryCheck === undefined) return !passed;
    return !((passed || !correct) && recoveryCheck(view, dependency));
  }

  /** Pauses the dependent, or goes on pausing it, for `maxPause` at most. */
  pause(): void {
    const { gate, settings: { maxPause } } = this.#state;
    this.#paused = true;
    gate.pause(this.#pauseReason);
    if (maxPause === Infinity || this.#cancelPauseTimer !== undefined) return;
    this.#cancelPauseTimer = this.#state.timer(() => {
      this.resume();
      this.#state.tell({ type: "pause_expired", dependencies: this.names });
    }, maxPause);
  }

  /** Lets the dependent go on. */
  resume(): void {
    this.#stopPauseTimer();
    if (!this.#paused) return;
    this.#paused = false;
    this.#state.gate.resume(this.#pauseReason);
  }

  /** Calls `idle` with each dependency that has no heartbeat for its `downtimeAfter`. */
  watch(idle: (dependency: Dependency) => void): void {
    for (const dependency of this.#dependencies) {
      const { downtimeAfter } = dependency.settings;
      if (downtimeAfter === Infinity) continue;
      const gate = gateOf(dependency.dependency);
      const expired = () => idle(dependency);
      const timeout = new IdleTimeout(this.#state.clock, downtimeAfter, gate, expired);
      this.#idleTimeouts.set(dependency, timeout);
    }
  }

  /** `dependency` has a heartbeat. */
  heard(dependency: Dependency): void {
    this.#idleTimeouts.get(dependency)?.restart();
  }

  /** No more heartbeats are expected of `dependency`. */
  unwatch(dependency: Dependency): void {
    this.#idleTimeouts.get(dependency)?.stop();
    this.#idleTimeouts.delete(dependency);
  }

  /** A run is over: ends all timers. A pause stays, for the next run. */
  end(): void {
    for (const timeout of this.#idleTimeouts.values()) timeout.stop();
    this.#idleTimeouts.clear();
    this.#stopPauseTimer();
  }

  #stopPauseTimer(): void {
    this.#cancelPauseTimer?.();
    this.#cancelPauseTimer = undefined;
  }

  #hasCaughtUp(dependency: Dependency): boolean {
    const { view, settings, latestPulse } = this.#state;
    const { recoveryCheck } = dependency.settings;
    if (recoveryCheck !== undefined && !settings.correct) return recoveryCheck(view, dependency);
    const known = dependency[internals];
    const frontier = Math.min(known.frontier, settledTime(dependency.dependency));
    if (!(frontier > known.target)) return false;
    // Where the dependent went on meanwhile: a pulse now must not find it down again.
    if (!this.#paused && this.downtime(dependency, latestPulse) !== undefined) return false;
    return recoveryCheck === undefined || recoveryCheck(view, dependency);
  }
}

/**
 * Expires when a source has been idle for too long by the clock. Time in which the source is paused does
 * not count: then it is idle because of us.
 */
export class IdleTimeout {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #gate: Gate;
  readonly #expired: () => void;
  readonly #unobserve: () => void;
  #since: number;
  #cancelTimer: (() => void) | undefined;

  /** Starts; calls `expired` once for each time that the source is idle. */
  constructor(clock: Clock, ms: number, gate: Gate, expired: () => void) {
    this.#clock = clock;
    this.#ms = ms;
    this.#gate = gate;
    this.#expired = expired;
    this.#since = clock.monotonic();
    this.#unobserve = gate.observe(() => this.restart());
    this.restart();
  }

  /** The source is not idle, or only now may be. */
  restart(): void {
    this.#since = this.#clock.monotonic();
    if (this.#gate.closed) return this.#stopTimer();
    this.#cancelTimer ??= runDetached(() => this.#clock.timer(this.#look, this.#ms));
  }

  /** Ends it. */
  stop(): void {
    this.#unobserve();
    this.#stopTimer();
  }

  #look = (): void => {
    this.#cancelTimer = undefined;
    const left = this.#since + this.#ms - this.#clock.monotonic();
    if (left > 0) this.#cancelTimer = this.#clock.timer(this.#look, left);
    else this.#expired();
  };

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}
