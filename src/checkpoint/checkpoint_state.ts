import { type Clock, systemClock } from "../clock.ts";
import type { Attribution } from "../flow/run/attribution.ts";
import { runDetached } from "../flow/run/current.ts";
import type { Host } from "../flow/source/host.ts";
import { type Gate, gateOf } from "../flow/source/gate.ts";
import type { CheckpointEvent, CheckpointSettings } from "./checkpoint_options.ts";
import { type CheckpointView, type Dependency, internals } from "./dependency.ts";
import { CheckpointHistory } from "./history.ts";
import { EventTimes, type Marker } from "./marker.ts";
import { ProvisionalResults } from "./provisional_results.ts";
import { Pulses } from "./pulses.ts";
import { type ReplayTracker, replayTrackerOf } from "./replay_tracker.ts";

/** The state of one checkpoint, which all parts of the algorithm share. */
export class CheckpointState {
  /** The checkpoint, for callbacks. */
  readonly view: CheckpointView;
  readonly name: string;
  readonly settings: CheckpointSettings;
  /** The gate of the dependent. */
  readonly gate: Gate;
  readonly tracker: ReplayTracker;
  readonly results: ProvisionalResults = new ProvisionalResults();
  readonly times: EventTimes;
  /** What has happened, for whoever looks. */
  readonly history: CheckpointHistory = new CheckpointHistory();
  /** What the pulses brought. */
  readonly pulses: Pulses = new Pulses();
  /** The time of the last pulse, in the order of its partition. */
  stateMarker = -Infinity;
  /** The latest time of all pulses. */
  latestPulse = -Infinity;
  /** The time before which everything of all dependencies is stored. */
  frontier = -Infinity;
  /** The time before which the results of the dependent will not be corrected any more. */
  settled = -Infinity;
  /** The current run. */
  host: Host | undefined;
  /** The error policy of the flow that pulsed last in this run. */
  guard: Attribution["guard"] | undefined;
  /** The listener has failed in this run. */
  #silent = false;

  constructor(view: CheckpointView, name: string, settings: CheckpointSettings) {
    this.view = view;
    this.name = name;
    this.settings = settings;
    this.times = new EventTimes(name, settings.maxAhead);
    this.gate = gateOf(settings.dependent);
    this.tracker = replayTrackerOf(settings.dependent as object);
  }

  /** The state that the pulses brought, merged. */
  get state(): Record<string, unknown> {
    return this.pulses.state;
  }

  get clock(): Clock {
    return this.settings.clock ?? this.host?.clock ?? systemClock;
  }

  /** Calls `callback` after `ms` milliseconds of the clock, for no message; returns a function that cancels it. */
  timer(callback: () => void, ms: number): () => void {
    return runDetached(() => this.clock.timer(callback, ms));
  }

  /** Tells what happens; in a run, a listener that throws ends it, and is not called any more. */
  tell(event: CheckpointEvent): void {
    runDetached(() => this.#tell(event));
  }

  #tell(event: CheckpointEvent): void {
    this.history.note(event, {
      now: this.clock.now(),
      pulse: this.latestPulse,
      marker: (name) => this.#markerOf(name),
    });
    this.host?.tell?.({ type: "checkpoint", name: this.name, event });
    if (this.#silent) return;
    try {
      this.settings.onStatus?.(event);
    } catch (error) {
      if (this.host === undefined) throw error;
      this.#silent = true;
      this.host.fail(error);
    }
  }

  /** The outages that a run before has left: when they began is not kept. */
  noteOutages(): void {
    for (const { name, isDown } of this.settings.dependencies) {
      if (!isDown) continue;
      this.history.begin(name, this.clock.now(), this.#markerOf(name), this.latestPulse);
    }
  }

  #markerOf(name: string): number {
    const dependency = this.settings.dependencies.find((each) => each.name === name);
    return dependency?.[internals].marker ?? -Infinity;
  }

  /** Tells when messages of a dependency are done, and it has had no heartbeat ever: it was forgotten. */
  tellUnheard(dependency: Dependency): void {
    const { unheard: messages } = dependency[internals];
    if (messages > 0) this.tell({ type: "unheard", dependency: dependency.name, messages });
  }

  /** Reads a marker; undefined, and told, when it is too far ahead of the clock. */
  read(marker: Marker, dependency?: string): number | undefined {
    const time = this.times.read(marker, this.clock);
    if (time === undefined) this.tell({ type: "ahead", dependency, marker });
    return time;
  }

  /**
   * Takes a step that no handler waits for. Its errors meet `guard`, the policy of a flow, as those of
   * `message`; without a guard they end the run, and without a run they are unhandled rejections.
   */
  inBackground(
    step: () => void | Promise<void>,
    guard: Attribution["guard"] | undefined = this.guard,
    message?: unknown,
  ): void {
    let done: void | Promise<void>;
    try {
      done = step();
    } catch (error) {
      done = Promise.reject(error);
    }
    if (done === undefined) return;
    const { host } = this;
    if (guard !== undefined) guard(() => done, message);
    else if (host !== undefined) done.catch((error) => host.fail(error));
    else done.then(); // an unhandled rejection, should it fail
  }

  /** A run is over. */
  end(): void {
    this.tracker.reset();
    this.settled = -Infinity;
    this.guard = undefined;
    this.#silent = false;
    this.host = undefined;
  }
}
