import { runDetached } from "../flow/run/current.ts";
import { type Attribution, currentMessage, DONE } from "../flow/run/attribution.ts";
import type { Receipt } from "../flow/source/receipt.ts";
import type { HeldSnapshot } from "../snapshot.ts";
import { addToChain, type ChainLink, settledTime, tellDownstream } from "./chain.ts";
import type { CheckpointSettings } from "./checkpoint_options.ts";
import { CheckpointState } from "./checkpoint_state.ts";
import { Corrections } from "./corrections.ts";
import { type CheckpointView, type Dependency, internals } from "./dependency.ts";
import type { DependencyTicket, Heartbeat } from "./dependency_frontier.ts";
import { HeldMessages } from "./held_messages.ts";
import { Outages } from "./outages.ts";
import type { MessagePosition } from "./replay_tracker.ts";

const NOTHING: Promise<undefined> = Promise.resolve(undefined);

/**
 * What a checkpoint does at each pulse and each heartbeat; docs/checkpoint.md explains it.
 *
 * It runs on behalf of the message that is handled, or was. Whatever it begins that outlasts that detaches itself:
 * detaching each step would cost more than most of them.
 */
export class CheckpointAlgorithm implements ChainLink {
  readonly name: string;
  readonly dependent: object;
  readonly sources: readonly object[];
  readonly state: CheckpointState;
  readonly outages: Outages;
  readonly corrections: Corrections;
  readonly #settings: CheckpointSettings;
  #held: HeldMessages | undefined;

  constructor(view: CheckpointView, name: string, settings: CheckpointSettings) {
    this.name = name;
    this.dependent = settings.dependent as object;
    this.sources = settings.dependencies.map(({ dependency }) => dependency as object);
    this.#settings = settings;
    addToChain(this);
    const state = this.state = new CheckpointState(view, name, settings);
    if (settings.correct) {
      state.gate.corrector = name;
      const others = state.gate.provisional;
      state.gate.provisional = (partition) => {
        const first = state.results.firstOf(partition);
        const other = others?.(partition);
        return other === undefined || (first !== undefined && first < other) ? first : other;
      };
    }
    this.outages = new Outages(state);
    this.corrections = new Corrections(state, this.outages, () => this.#correctOrSettle());
    state.tracker.listeners.add({
      moved: (partition, position) => this.#moved(partition, position),
      caughtUp: () => {
        state.history.corrected(state.clock.now());
        this.#settle();
      },
    });
    for (const dependency of settings.dependencies) dependency.times = state.times;
  }

  /** What mode "wait" holds. */
  get held(): readonly HeldSnapshot[] {
    return this.#held?.now ?? [];
  }

  get settled(): number {
    return this.state.settled;
  }

  upstreamSettled(): void {
    this.state.inBackground(() => this.#advance());
  }

  /** A run begins, and the record is loaded. */
  begin(): void {
    const { state, outages } = this;
    state.noteOutages();
    state.frontier = this.#leastFrontier();
    this.#settle();
    if (this.#settings.mode === "wait") this.#held = new HeldMessages(state);
    if (outages.any && this.#settings.pauseDependent) outages.pause();
    if (state.results.areStale) this.corrections.schedule();
  }

  /** The sources are open. */
  start(): void {
    this.outages.watch((dependency) => this.#declareWithoutPulse(dependency));
    this.corrections.correctIfDue();
  }

  /** A run is over; a pause stays, for the next one. */
  end(): void {
    this.#held?.stop();
    this.#held = undefined;
    this.outages.end();
    this.corrections.unschedule();
    this.state.end();
  }

  /** A message of the dependent is about to be handled. */
  pulse(
    time: number | undefined,
    brought: Record<string, unknown> | undefined,
  ): Promise<number | undefined> {
    const { state, outages } = this;
    const message = currentMessage();
    const at = state.tracker.positionOf(message?.receipt);
    if (brought !== undefined) state.pulses.bring(brought, at);
    if (time === undefined) return NOTHING;
    if (state.pulses.isLast(at)) state.stateMarker = time;
    if (time > state.latestPulse) state.latestPulse = time;
    if (message !== undefined && message !== DONE) state.guard = message.guard;
    if (time >= state.frontier) this.#addProvisional(message, at, time);
    if (outages.paused) outages.raiseTargets();

    const gaveUp = message !== undefined && (this.#held?.gaveUp(message.root) ?? false);
    let worst: number | undefined;
    let fallen: Dependency[] | undefined;
    for (const dependency of this.#settings.dependencies) {
      const known = dependency[internals];
      if (known.marker === -Infinity) {
        known.marker = time;
        known.checkpointState = { ...state.state };
      }
      let downtime = outages.downtime(dependency, time);
      if (gaveUp && known.frontier <= time) downtime ??= Math.max(0, time - known.marker);
      if (downtime !== undefined && outages.declare(dependency, downtime)) {
        (fallen ??= []).push(dependency);
      }
      if (!known.down) continue;
      worst = Math.max(worst ?? 0, downtime ?? time - known.marker);
    }
    if (fallen !== undefined) return this.#beginOutage(fallen).then(() => worst);
    return worst === undefined ? NOTHING : Promise.resolve(worst);
  }

  /** A dependency shows that it is alive; its message counts as stored once it is done. */
  heartbeat(dependency: Dependency, heartbeat: Heartbeat): Promise<void> {
    const { state } = this;
    const { time, parts, isMessage } = heartbeat;
    const known = dependency[internals];
    for (const part of parts) known.hear(time, part);
    known.checkpointState = { ...state.state };
    this.outages.heard(dependency);
    const message = currentMessage();
    if (message?.receipt === undefined) {
      const again = known.isKnown(heartbeat);
      return Promise.try(() => this.#storedOutside(dependency, heartbeat, again));
    }
    const { receipt, root, guard } = message;
    const tickets = known.ticketsOf(receipt);
    const again = known.isKnown(heartbeat, tickets);
    known.openHeartbeats.set(heartbeat, isMessage && !again ? time : Infinity);
    receipt.whenDone(() => {
      state.inBackground(() => this.#stored(dependency, heartbeat, again, tickets), guard, root);
      if (known.isOver) runDetached(() => this.#complete(dependency));
    });
    return NOTHING as Promise<unknown> as Promise<void>;
  }

  /** A message of a dependency was taken, and will be handled. */
  began(dependency: Dependency, message: unknown, receipt: Receipt): void {
    const known = dependency[internals];
    const done = known.began(message, receipt);
    receipt.whenDone(() => {
      done();
      if (known.isOver) runDetached(() => this.#complete(dependency));
      // After the heartbeats of this message: what they make stale must not be final before.
      queueMicrotask(() => {
        if (known.advance()) this.state.inBackground(() => this.#advance());
      });
    });
  }

  /**
   * The source of a dependency has nothing to hand out: its partitions may have been read to their end, or messages are
   * not waited for any more, which no heartbeat tells.
   */
  waits(dependency: Dependency): void {
    if (dependency[internals].advance()) this.state.inBackground(() => this.#advance());
  }

  /** The source of a dependency has ended. */
  ended(dependency: Dependency): void {
    const { host } = this.state;
    if (host === undefined || host.stopping.aborted) return;
    const known = dependency[internals];
    known.ended = true;
    if (known.isOver) this.#complete(dependency);
  }

  /** The source of a dependency has ended, and all of its messages are done. */
  #complete(dependency: Dependency): void {
    this.outages.unwatch(dependency);
    if (dependency.settings.onEnd === "down") return this.#declareWithoutPulse(dependency);
    this.state.tellUnheard(dependency);
    dependency[internals].complete();
    this.state.inBackground(() => this.#advance());
  }

  /** Reading goes on at `position`; once it does, results that are stale before it are corrected. */
  #moved(partition: number, position: number): void {
    const { state, corrections } = this;
    state.results.rewind(partition, position);
    state.pulses.rewind(partition, position);
    if (!state.results.stale.has(partition)) return;
    state.clock.macrotask(() => {
      if (state.host === undefined) return;
      corrections.schedule();
      corrections.correctIfDue();
    });
  }

  #addProvisional(
    message: Attribution | undefined,
    at: MessagePosition | undefined,
    time: number,
  ): void {
    const { results, gate } = this.state;
    if (at !== undefined) return results.add(at.partition, at.offset, time);
    const { correct } = this.#settings;
    if (!correct || !gate.read || this.corrections.staleAtRecovery !== undefined) return;
    throw new TypeError(
      `Cannot correct results of checkpoint ${JSON.stringify(this.name)}: ` +
        (message === undefined || (message.receipt?.gate ?? gate) !== gate
          ? "checkPulse() was called outside of the flows of its dependent; call it in one"
          : `the message in flow "${message.flow}" for which checkPulse() was called has no partition and ` +
            "offset; a batch() before it hides them: use map() and filter()"),
    );
  }

  /** A dependency is down although no pulse shows it. */
  #declareWithoutPulse(dependency: Dependency): void {
    if (!this.outages.declare(dependency)) return;
    this.state.inBackground(() => this.#beginOutage([dependency]));
  }

  /** Dependencies went down: pauses the dependent, then calls the callbacks. */
  async #beginOutage(fallen: readonly Dependency[]): Promise<void> {
    const { downtimeCallback, pauseDependent } = this.#settings;
    if (pauseDependent) this.outages.pause();
    if (downtimeCallback === undefined) return;
    const errors: unknown[] = [];
    for (const dependency of fallen) {
      const call = Promise.try(() => downtimeCallback(this.state.view, dependency));
      await call.catch((error) => errors.push(error));
    }
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, "Cannot run all downtime callbacks");
  }

  /** A heartbeat outside of flows. A recovery may wait for the caller, so in a run the caller does not wait for it. */
  #storedOutside(
    dependency: Dependency,
    heartbeat: Heartbeat,
    again: boolean,
  ): void | Promise<void> {
    const isAwaited = this.state.host === undefined && !this.corrections.busy;
    const recovery = this.#stored(dependency, heartbeat, again);
    return isAwaited ? recovery : this.state.inBackground(() => recovery);
  }

  /** The message of a heartbeat is stored, perhaps `again`. A promise is that of a recovery. */
  #stored(
    dependency: Dependency,
    heartbeat: Heartbeat,
    again: boolean,
    tickets?: readonly DependencyTicket[],
  ): void | Promise<void> {
    const { state, corrections } = this;
    const { time, isMessage } = heartbeat;
    const known = dependency[internals];
    if (isMessage) {
      const { name } = dependency;
      if (time < known.frontier && !again) {
        state.tell({ type: "late", dependency: name, marker: state.times.markerOf(time)! });
      }
      if (state.results.markStale(time)) {
        state.history.stale(time);
        corrections.schedule(name);
      }
    }
    known.store(heartbeat, tickets);
    return this.#advance();
  }

  /** Does what follows from a frontier that may have moved. A promise is that of a recovery. */
  #advance(): void | Promise<void> {
    const { state, outages, corrections } = this;
    const frontier = this.#leastFrontier();
    if (frontier > state.frontier) {
      state.frontier = frontier;
      state.results.finalize(frontier);
      if (this.#settings.mode === "wait") state.gate.recheck();
    }
    const recovered = outages.recover();
    for (const { name } of recovered) state.tell({ type: "recovered", dependency: name });
    const last = recovered.at(-1);
    if (last !== undefined && !outages.any) return corrections.recover(last);
    this.#correctOrSettle();
  }

  #leastFrontier(): number {
    let least = Infinity;
    for (const dependency of this.#settings.dependencies) {
      const { frontier } = dependency[internals];
      least = Math.min(least, frontier, settledTime(dependency.dependency));
    }
    return least;
  }

  /** Results may be stale, or may not be any more. */
  #correctOrSettle(): void {
    this.corrections.correctIfDue();
    this.#settle();
  }

  /** Tells checkpoints that depend on the dependent how far its results will not be corrected any more. */
  #settle(): void {
    const { state, outages, corrections } = this;
    // Without `correct`, stale results are corrected after an outage or never.
    const stale = (this.#settings.correct || outages.any) && state.results.areStale;
    const busy = corrections.busy || state.tracker.behind || stale;
    if (busy || state.frontier <= state.settled) return;
    state.settled = state.frontier;
    tellDownstream(this.dependent);
  }
}
