import type { Clock } from "../clock.ts";
import type { Commit, Companion, Host } from "../flow/feed.ts";
import { gateOf } from "../flow/gate.ts";
import type { Core } from "./core.ts";
import { type Dependency, inside } from "./dependency.ts";
import { type CheckpointRecord, toRecord } from "./record.ts";
import { Silence } from "./silence.ts";
import { Waiting } from "./waiting.ts";

/** A checkpoint in its runs: loads what was kept, keeps it, and has timers only while messages flow. */
export class Session implements Companion {
  readonly #core: Core;
  readonly #key: string;
  readonly #silences = new Map<Dependency, Silence>();
  #waiting: Waiting | undefined;
  /** True when its cache is one that it cannot be kept in: the run ends, and nothing was handled. */
  #refused = false;
  #removeGuard: () => void = () => {};

  constructor(core: Core) {
    this.#core = core;
    const { cacheKeyPrefix, dependencies } = core.settings;
    this.#key = `${cacheKeyPrefix}_${core.name}_`;
    core.gate.companions.add(this);
    for (const dependency of dependencies) {
      const gate = gateOf(dependency.dependency);
      gate.attributed = true;
      gate.companions.add(this);
      gate.witnesses = [...gate.witnesses, { ended: () => this.#ended(dependency) }];
    }
  }

  /** Loads what was kept. */
  async open(host: Host): Promise<void> {
    const core = this.#core;
    const { cache, dependencies, mode, pauseDependent } = core.settings;
    if (core.host !== undefined) {
      throw new TypeError(
        `Cannot use checkpoint ${JSON.stringify(core.name)} in two streams at once`,
      );
    }
    core.host = host;
    core.track.reset();
    for (const dependency of dependencies) dependency[inside].begin();
    const kept = await cache?.get(this.#key);
    if (kept !== undefined && kept !== null) restore(core, toRecord(this.#key, kept));
    core.frontier = core.least();
    core.settle();
    if (mode === "wait") this.#wait(core.clock);
    if (core.down && pauseDependent) core.pause.begin(core.clock);
    if (core.results.dirty.size > 0) core.dirt.add(undefined, core.largest, core.clock);
  }

  /** The sources are open. */
  start(): void {
    const core = this.#core;
    this.#refused = core.settings.cache?.driven === true;
    if (this.#refused) {
      throw new TypeError(
        `Cannot keep checkpoint ${
          JSON.stringify(core.name)
        } in a cache that keeps the state of flows: it is ` +
          "written at other moments; open a cache of its own for it",
      );
    }
    if (core.settings.correct && core.gate.read && !core.gate.seekable) {
      throw new TypeError(
        `Cannot correct results of checkpoint ${JSON.stringify(core.name)}: its dependent has no ` +
          "positions to go back to; use a Topic, or leave correct out",
      );
    }
    for (const dependency of core.settings.dependencies) {
      const { downtimeAfterMs } = dependency.settings;
      if (downtimeAfterMs === Infinity) continue;
      const gate = gateOf(dependency.dependency);
      const tooLong = () => this.#isSilent(dependency);
      this.#silences.set(dependency, new Silence(core.clock, downtimeAfterMs, gate, tooLong));
    }
    core.consider();
  }

  /** Takes what is to be kept. */
  snapshot(): Commit | undefined {
    const { cache } = this.#core.settings;
    if (cache === undefined || this.#refused) return undefined;
    const record = recordOf(this.#core);
    return async () => void await cache.set(this.#key, record, { durable: true });
  }

  /** Ends everything that waits; a pause stays, for the next run. */
  close(): void {
    const core = this.#core;
    for (const silence of this.#silences.values()) silence.stop();
    this.#silences.clear();
    this.#waiting?.stop();
    this.#waiting = undefined;
    this.#removeGuard();
    core.pause.stopTimer();
    core.dirt.stopTimer();
    core.track.reset();
    core.host = undefined;
  }

  /** A dependency has given a sign of life. */
  heard(dependency: Dependency): void {
    this.#silences.get(dependency)?.heard();
  }

  /** Says whether `message` is handled because it had waited for too long. */
  gaveUp(message: unknown): boolean {
    return this.#waiting?.gaveUp(message) ?? false;
  }

  /** The source of a dependency has ended, and all of it is stored. */
  complete(dependency: Dependency): void {
    this.#silences.get(dependency)?.stop();
    this.#silences.delete(dependency);
    if (dependency.settings.onEnd === "down") return this.#isSilent(dependency);
    dependency[inside].complete();
    this.#core.inBackground(this.#core.advance());
  }

  #ended(dependency: Dependency): void {
    const { host } = this.#core;
    if (host === undefined || host.stopping.aborted) return;
    const vitals = dependency[inside];
    vitals.ended = true;
    if (vitals.open === 0) this.complete(dependency);
  }

  /** A dependency is down although no pulse says so. */
  #isSilent(dependency: Dependency): void {
    const core = this.#core;
    if (!core.outages.declare(dependency)) return;
    core.tell({ type: "down", dependency: dependency.name, downtimeMs: undefined });
    core.inBackground(core.fell([dependency]));
  }

  #wait(clock: Clock): void {
    const core = this.#core;
    const { waitMs, time } = core.settings;
    const waiting = this.#waiting = new Waiting(clock, waitMs, {
      frontier: () => core.frontier,
      timeOf: (message) => core.read(time!(message)),
      recheck: () => core.gate.recheck(),
    });
    this.#removeGuard = core.gate.guard((message) => waiting.admits(message));
  }
}

/** All that is to be kept of a checkpoint. */
function recordOf(core: Core): CheckpointRecord {
  const { times, stateMarker, state, largest, track, results, settings } = core;
  const partitions = [...track.progress].map(([partition, progress]) => ({
    partition,
    ...progress,
    ...results.record(partition),
  }));
  return {
    version: 1,
    kind: times.kind,
    stateMarker,
    state: { ...state },
    largest,
    epoch: track.epoch,
    dependencies: settings.dependencies.map((each) => each[inside].record(each.name)),
    partitions,
  };
}

/** Takes over what was kept; dependencies that are new begin anew. */
function restore(core: Core, record: CheckpointRecord): void {
  core.times.kind ??= record.kind;
  core.stateMarker = record.stateMarker;
  core.state = { ...record.state };
  core.largest = record.largest;
  core.track.epoch = Math.max(core.track.epoch, record.epoch);
  const kept = new Map(record.dependencies.map((vitals) => [vitals.name, vitals]));
  for (const dependency of core.settings.dependencies) {
    const vitals = kept.get(dependency.name);
    if (vitals !== undefined) dependency[inside].restore(vitals);
  }
  for (const partition of record.partitions) {
    core.results.restore(partition.partition, partition);
    core.track.restore(partition.partition, partition);
  }
}
