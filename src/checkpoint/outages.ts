import { settledTime } from "./chain.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { CheckpointSettings } from "./checkpoint_options.ts";
import { type Dependency, inside } from "./dependency.ts";
import type { CheckpointEvent } from "./events.ts";

/** What {@linkcode Outages} needs to know of its checkpoint. */
export interface OutagesHost {
  /** The checkpoint, for callbacks. */
  readonly checkpoint: Checkpoint;
  readonly settings: CheckpointSettings;
  /** The latest time of all pulses. */
  readonly largest: number;
  /** True while the dependent is paused because of an outage. */
  readonly paused: boolean;
}

/** Which dependencies are down, and why. */
export class Outages {
  readonly #host: OutagesHost;
  readonly #dependencies: readonly Dependency[];

  constructor(host: OutagesHost) {
    this.#host = host;
    this.#dependencies = host.settings.dependencies;
  }

  /** The names of the dependencies that are down. */
  get names(): string[] {
    return this.#dependencies.filter(({ isDown }) => isDown).map(({ name }) => name);
  }

  /** True while any is down. */
  get any(): boolean {
    for (const dependency of this.#dependencies) if (dependency[inside].down) return true;
    return false;
  }

  /** For how long `dependency` has been down at the pulse for `time`; undefined when it is not. */
  downtime(dependency: Dependency, time: number): number | undefined {
    const { downtimeCheck, downtimeThreshold } = dependency.settings;
    const { frontier, marker } = dependency[inside];
    if (frontier === Infinity) return undefined; // it has said everything that it had to say
    if (downtimeCheck !== undefined) return downtimeCheck(this.#host.checkpoint, dependency);
    return time - marker > downtimeThreshold ? time - marker : undefined;
  }

  /** Takes `dependency` for down; false when it was already. */
  declare(dependency: Dependency): boolean {
    const vitals = dependency[inside];
    if (vitals.down) return false;
    vitals.down = true;
    vitals.target = this.#host.largest;
    return true;
  }

  /** What to tell of `dependency`, which went down. */
  eventOf(dependency: Dependency, downtimeMs: number | undefined): CheckpointEvent {
    const { lagging } = dependency[inside];
    const event = { type: "down", dependency: dependency.name, downtimeMs } as const;
    return lagging.length === 0 ? event : { ...event, lagging };
  }

  /** A pulse came while the dependent is paused: recovery must pass that too. */
  raiseTargets(): void {
    for (const dependency of this.#dependencies) {
      const vitals = dependency[inside];
      if (vitals.down) vitals.target = this.#host.largest;
    }
  }

  /** Takes for recovered those that have caught up, and returns them. */
  recover(): Dependency[] {
    const recovered: Dependency[] = [];
    for (const dependency of this.#dependencies) {
      const vitals = dependency[inside];
      if (!vitals.down || !this.#hasCaughtUp(dependency)) continue;
      vitals.down = false;
      recovered.push(dependency);
    }
    return recovered;
  }

  /** Says whether `dependency` is down and will still be when everything that has arrived is stored. */
  isLate(dependency: Dependency): boolean {
    const { checkpoint, settings: { correct } } = this.#host;
    const { down, expected, frontier, target } = dependency[inside];
    if (!down) return false;
    const { recoveryCheck } = dependency.settings;
    const passed = Math.max(expected, frontier) > target;
    if (recoveryCheck === undefined) return !passed;
    return !((passed || !correct) && recoveryCheck(checkpoint, dependency));
  }

  #hasCaughtUp(dependency: Dependency): boolean {
    const { checkpoint, settings, largest, paused } = this.#host;
    const { recoveryCheck } = dependency.settings;
    if (recoveryCheck !== undefined && !settings.correct) {
      return recoveryCheck(checkpoint, dependency);
    }
    const vitals = dependency[inside];
    const frontier = Math.min(vitals.frontier, settledTime(dependency.dependency));
    if (!(frontier > vitals.target)) return false;
    // The dependent went on meanwhile: a pulse now must not find it down again.
    if (!paused && this.downtime(dependency, largest) !== undefined) return false;
    return recoveryCheck === undefined || recoveryCheck(checkpoint, dependency);
  }
}
