import { type Clock, systemClock } from "../clock.ts";
import { type Attribution, currentMessage } from "../flow/attribution.ts";
import type { Host } from "../flow/feed.ts";
import { type Gate, gateOf } from "../flow/gate.ts";
import type { Beat } from "./beat.ts";
import { join, type Link, settledTime, tellDownstream } from "./chain.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { CheckpointSettings } from "./checkpoint_options.ts";
import { Corrections } from "./corrections.ts";
import { type Dependency, inside } from "./dependency.ts";
import { Dirt } from "./dirt.ts";
import type { CheckpointEvent } from "./events.ts";
import { EventTimes } from "./event_times.ts";
import type { Marker } from "./marker.ts";
import { Outages } from "./outages.ts";
import { Pause } from "./pause.ts";
import { Results } from "./results.ts";
import { Session } from "./session.ts";
import { type Track, trackOf } from "./track.ts";
import { doUnder } from "./unattended.ts";

const NOTHING: Promise<undefined> = Promise.resolve(undefined);

/** The inside of a {@linkcode Checkpoint}: what happens at a pulse and at a heartbeat. */
export class Core implements Link {
  readonly checkpoint: Checkpoint;
  readonly name: string;
  readonly settings: CheckpointSettings;
  readonly gate: Gate;
  readonly track: Track;
  readonly results: Results = new Results();
  readonly dirt: Dirt;
  readonly outages: Outages;
  readonly corrections: Corrections;
  readonly times: EventTimes;
  /** The time of the last pulse. */
  stateMarker = -Infinity;
  /** What the pulses brought. */
  state: Record<string, unknown> = {};
  /** The latest time of all pulses. */
  largest = -Infinity;
  /** The time before which everything of all dependencies is stored. */
  frontier = -Infinity;
  settled = -Infinity;
  readonly pause: Pause;
  /** The run that is under way. */
  host: Host | undefined;
  readonly #session: Session;
  #guard: Attribution["guard"] | undefined;
  /** The listener has failed in this run. */
  #silent = false;

  constructor(checkpoint: Checkpoint, name: string, settings: CheckpointSettings) {
    this.checkpoint = checkpoint;
    this.name = name;
    this.settings = settings;
    this.times = new EventTimes(name, settings.maxAheadMs);
    this.gate = gateOf(settings.dependent);
    join(this);
    if (settings.correct) this.gate.corrector = name;
    this.track = trackOf(settings.dependent as object);
    this.track.listeners.add({
      moved: (partition, position) => this.#moved(partition, position),
      caughtUp: () => this.settle(),
    });
    this.dirt = new Dirt(settings.correctAfterMs, () => this.corrections.consider());
    this.outages = new Outages(this);
    this.corrections = new Corrections(this);
    this.pause = new Pause(this.gate, `checkpoint ${name}`, settings.maxPauseMs, () => {
      this.tell({ type: "pause_expired", dependencies: this.outages.names });
    });
    for (const dependency of settings.dependencies) dependency.times = this.times;
    this.#session = new Session(this);
  }

  get dependent(): object {
    return this.settings.dependent as object;
  }

  get sources(): object[] {
    return this.settings.dependencies.map(({ dependency }) => dependency as object);
  }

  get reason(): string {
    return `correction of checkpoint ${this.name}`;
  }

  get down(): boolean {
    return this.outages.any;
  }

  get paused(): boolean {
    return this.pause.active;
  }

  get running(): boolean {
    return this.host !== undefined;
  }

  get clock(): Clock {
    return this.settings.clock ?? this.host?.clock ?? systemClock;
  }

  /** Tells what happens; in a run, a listener that throws ends it, and is not told any more. */
  tell(event: CheckpointEvent): void {
    if (this.#silent) return;
    try {
      this.settings.onStatus?.(event);
    } catch (error) {
      if (this.host === undefined) throw error;
      this.#silent = true;
      this.host.fail(error);
    }
  }

  /** Reads a marker; undefined, and reported, when it is too far ahead of the clock. */
  read(marker: Marker, dependency?: string): number | undefined {
    const time = this.times.read(marker, this.clock);
    if (time === undefined) this.tell({ type: "ahead", dependency, marker });
    return time;
  }

  /** Tells for which dependencies a message waits. */
  tellWaiting(partition: number | undefined, time: number, waitedMs: number): void {
    const marker = this.times.markerOf(time)!;
    for (
      const { name: dependency, dependency: source, [inside]: vitals } of this.settings.dependencies
    ) {
      if (Math.min(vitals.frontier, settledTime(source)) > time) continue;
      const lagging = vitals.behind(time);
      this.tell({ type: "waiting", dependency, lagging, partition, marker, waitedMs });
    }
  }

  /** A message of the dependent is about to be handled. */
  pulse(marker: Marker, state: Record<string, unknown> | undefined): Promise<number | undefined> {
    const time = this.read(marker);
    if (state !== undefined) Object.assign(this.state, state);
    if (time === undefined) return NOTHING;
    this.stateMarker = time;
    if (time > this.largest) this.largest = time;
    const message = currentMessage();
    this.#guard = message?.guard ?? this.#guard;
    if (time >= this.frontier) this.#addProvisional(message, time);
    if (this.pause.active) this.outages.raiseTargets();

    const gaveUp = message !== undefined && this.#session.gaveUp(message.root);
    let worst: number | undefined;
    let fallen: Dependency[] | undefined;
    for (const dependency of this.settings.dependencies) {
      const vitals = dependency[inside];
      if (vitals.marker === -Infinity) {
        vitals.marker = time;
        vitals.checkpointState = { ...this.state };
      }
      let downtime = this.outages.downtime(dependency, time);
      if (gaveUp && vitals.frontier <= time) downtime ??= Math.max(0, time - vitals.marker);
      if (downtime !== undefined && this.outages.declare(dependency)) {
        this.tell(this.outages.eventOf(dependency, downtime));
        (fallen ??= []).push(dependency);
      }
      if (!vitals.down) continue;
      worst = Math.max(worst ?? 0, downtime ?? time - vitals.marker);
    }
    if (fallen !== undefined) return this.fell(fallen).then(() => worst);
    return worst === undefined ? NOTHING : Promise.resolve(worst);
  }

  /** A dependency shows that it is alive; what it brought counts once its message is done. */
  beat(beat: Beat): Promise<void> {
    const { dependency, time, parts } = beat;
    const vitals = dependency[inside];
    for (const part of parts) vitals.hear(time, part);
    vitals.checkpointState = { ...this.state };
    this.#session.heard(dependency);
    const again = vitals.isKnown(parts[0]!, beat.position); // later ones may be stored before it
    const message = currentMessage();
    if (message?.receipt === undefined) return Promise.try(() => this.#storedOutside(beat, again));
    const { receipt, root, guard } = message;
    vitals.open.set(beat, beat.isMessage && !again ? time : Infinity);
    receipt.whenDone(() => {
      vitals.open.delete(beat);
      doUnder(guard, () => this.#stored(beat, again), root, this.host);
      if (vitals.isOver) this.#session.complete(dependency);
    });
    return NOTHING as Promise<unknown> as Promise<void>;
  }

  upstreamSettled(): void {
    this.inBackground(() => this.advance());
  }

  /** Reading goes on at `position`; once it does, what is dirty before that is seen to. */
  #moved(partition: number, position: number): void {
    this.results.moved(partition, position);
    if (!this.results.dirty.has(partition)) return;
    this.clock.macrotask(() => {
      if (this.host === undefined) return;
      this.dirt.add(undefined, this.largest, this.clock);
      this.corrections.consider();
    });
  }

  #addProvisional(message: Attribution | undefined, time: number): void {
    const place = this.track.placeOf(message?.receipt);
    if (place !== undefined) return this.results.add(place.partition, place.offset, time);
    if (!this.settings.correct || !this.gate.read || this.corrections.stale !== undefined) return;
    throw new TypeError(
      `Cannot correct results of checkpoint ${JSON.stringify(this.name)}: ` +
        (message === undefined
          ? "checkPulse() was called outside of the flows of its dependent; call it in one"
          : `what checkPulse() was called for in flow "${message.flow}" has no partition and offset; ` +
            "batch() in front of it hides them: use map() and filter()"),
    );
  }

  /** Dependencies went down: pauses the dependent, then calls the callbacks. */
  async fell(fallen: readonly Dependency[]): Promise<void> {
    if (this.settings.pauseDependent) this.pause.begin(this.clock);
    const { downtimeCallback } = this.settings;
    if (downtimeCallback === undefined) return;
    const errors: unknown[] = [];
    for (const dependency of fallen) {
      const call = Promise.try(() => downtimeCallback(this.checkpoint, dependency));
      await call.catch((error) => errors.push(error));
    }
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, "Cannot run all downtime callbacks");
  }

  /** A heartbeat of no message: what a recovery waits for may wait for this call, so it is not waited for. */
  #storedOutside(beat: Beat, again: boolean): void | Promise<void> {
    const isAwaited = this.host === undefined && !this.corrections.busy;
    const recovery = this.#stored(beat, again);
    return isAwaited ? recovery : this.inBackground(() => recovery);
  }

  /** What a heartbeat brought is stored, perhaps `again`. A promise is that of a recovery. */
  #stored(beat: Beat, again: boolean): void | Promise<void> {
    const { dependency, time, parts, position, isMessage } = beat;
    const vitals = dependency[inside];
    if (isMessage) {
      if (time < vitals.frontier && !again) {
        this.tell({
          type: "late",
          dependency: dependency.name,
          marker: this.times.markerOf(time)!,
        });
      }
      if (this.results.soil(time)) this.dirt.add(dependency.name, this.largest, this.host?.clock);
    }
    for (const part of parts) vitals.store(time, part, position);
    return this.advance();
  }

  /** Looks what follows from a frontier that may have moved. A promise is that of a recovery. */
  advance(): void | Promise<void> {
    const frontier = this.least();
    if (frontier > this.frontier) {
      this.frontier = frontier;
      this.results.forget(frontier);
      if (this.settings.mode === "wait") this.gate.recheck();
    }
    const recovered = this.outages.recover();
    for (const { name } of recovered) this.tell({ type: "recovered", dependency: name });
    const last = recovered.at(-1);
    if (last !== undefined && !this.down) return this.corrections.recover(last);
    this.corrections.consider();
    this.settle();
  }

  least(): number {
    let least = Infinity;
    for (const dependency of this.settings.dependencies) {
      const { frontier } = dependency[inside];
      least = Math.min(least, frontier, settledTime(dependency.dependency));
    }
    return least;
  }

  /** The dependent was at rest: more may have become dirty meanwhile. */
  rested(): void {
    this.corrections.consider();
    this.settle();
  }

  /** A run is over; a pause stays, for the next one. */
  end(): void {
    this.pause.stopTimer();
    this.dirt.clear();
    this.track.reset();
    this.settled = -Infinity;
    this.#guard = undefined;
    this.#silent = false;
    this.host = undefined;
  }

  /** Tells those that depend on the dependent how far its results will not be corrected any more. */
  settle(): void {
    // Without `correct`, what is dirty is made again after an outage or never.
    const dirty = (this.settings.correct || this.down) && this.results.dirty.size > 0;
    const busy = this.corrections.busy || this.track.behind || dirty;
    if (busy || this.frontier <= this.settled) return;
    this.settled = this.frontier;
    tellDownstream(this.dependent);
  }

  /** Does what no handler waits for: its errors meet the policy of the flow that pulsed last. */
  inBackground(step: () => void | Promise<void>): void {
    doUnder(this.#guard, step, undefined, this.host);
  }
}
