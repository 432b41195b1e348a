import type { Clock } from "../clock.ts";
import { followProxies } from "../flow/attribution.ts";
import type { Commit, Companion, Host } from "../flow/feed.ts";
import { gateOf } from "../flow/gate.ts";
import type { Receipt } from "../flow/receipt.ts";
import { openState } from "../flow/state.ts";
import type { Core } from "./core.ts";
import { type Dependency, inside } from "./dependency.ts";
import { recordOf, restore, restorePartition, travelRecordOf } from "./kept.ts";
import { type CheckpointRecord, toKept } from "./record.ts";
import { Silence } from "./silence.ts";
import { Travel } from "./travel.ts";
import { Waiting } from "./waiting.ts";

/** The checkpoints that run now, by the cache and the key that they are kept under. */
const running = new WeakMap<object, Map<string, Session>>();

/** A checkpoint in its runs: loads what was kept, keeps it, and has timers only while messages flow. */
export class Session implements Companion {
  readonly #core: Core;
  readonly #key: string;
  readonly #travel: Travel | undefined;
  readonly #silences = new Map<Dependency, Silence>();
  #waiting: Waiting | undefined;
  #removeGuard: () => void = () => {};
  #leaveCuts: (() => void) | undefined;

  constructor(core: Core) {
    this.#core = core;
    const { cacheKeyPrefix, dependencies, partitions } = core.settings;
    this.#key = `${cacheKeyPrefix}_${core.name}_`;
    core.gate.companions.add(this);
    followProxies();
    if (partitions !== undefined) {
      const travel = this.#travel = new Travel(partitions, this.#key, {
        record: (partition) => travelRecordOf(core, partition),
        restore: (record) => restorePartition(core, record),
        forget: (partition) => core.results.drop(partition),
      });
      core.gate.beforeStart((given) => travel.assign(given));
    }
    for (const dependency of dependencies) {
      const gate = gateOf(dependency.dependency);
      gate.attributed = true;
      gate.companions.add(this);
      gate.beforeStart((given, total) => this.#assertWhole(dependency, given.length, total));
      gate.witnesses = [...gate.witnesses, {
        begin: (_, receipt) => this.#begun(dependency, receipt),
        waits: () => this.#look(dependency),
        ended: () => this.#ended(dependency),
      }];
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
    this.#claimKey();
    core.host = host;
    core.track.reset();
    for (const dependency of dependencies) dependency[inside].begin();
    this.#travel?.begin();
    const kept = toKept<CheckpointRecord>(this.#key, await cache?.get(this.#key));
    if (kept !== undefined) restore(core, kept);
    if (this.#travel !== undefined) this.#travel.owner = kept?.owner ?? this.#travel.owner;
    core.frontier = core.least();
    core.settle();
    if (mode === "wait") this.#wait(core.clock);
    if (core.down && pauseDependent) core.pause.begin(core.clock);
    if (core.results.dirty.size > 0) core.dirt.add(undefined, core.largest, core.clock);
  }

  /** Two checkpoints under one key would each go on with what the other knew. */
  #claimKey(): void {
    const { name, settings: { cache } } = this.#core;
    if (cache === undefined) return;
    const keys = running.getOrInsertComputed(cache, () => new Map<string, Session>());
    if (keys.has(this.#key)) {
      throw new TypeError(
        `Cannot keep checkpoint ${JSON.stringify(name)} under ${JSON.stringify(this.#key)}: ` +
          "another one that runs is kept there; give it a name or a cacheKeyPrefix of its own",
      );
    }
    keys.set(this.#key, this);
  }

  /** The sources are open. */
  start(): void {
    const core = this.#core;
    if (core.settings.correct && core.gate.read && !core.gate.seekable) {
      throw new TypeError(
        `Cannot correct results of checkpoint ${JSON.stringify(core.name)}: its dependent has no ` +
          "positions to go back to; use a Topic, or leave correct out",
      );
    }
    this.#joinCuts();
    this.#checkTravel();
    for (const dependency of core.settings.dependencies) {
      const { downtimeAfterMs } = dependency.settings;
      if (downtimeAfterMs === Infinity) continue;
      const gate = gateOf(dependency.dependency);
      const tooLong = () => this.#isSilent(dependency);
      this.#silences.set(dependency, new Silence(core.clock, downtimeAfterMs, gate, tooLong));
    }
    core.corrections.consider();
  }

  /** Rows of partitions need partitions, which may go to others: those of a flow with exact state may not. */
  #checkTravel(): void {
    const { gate, name } = this.#core;
    if (this.#travel === undefined || !gate.read) return;
    const flow = [...gate.stores.values()][0];
    if (gate.parts !== undefined && flow === undefined) return;
    throw new TypeError(
      `Cannot keep the partitions of checkpoint ${JSON.stringify(name)}: ` +
        (flow === undefined
          ? "its dependent has none; use a Topic, or leave partitions out"
          : `flow ${
            JSON.stringify(flow)
          } has exact state, so no other process reads them; leave partitions out`),
    );
  }

  /**
   * Where the cache holds exact state, the record is part of every cut: both are of one instant. Of another
   * one, messages would count twice, and what is wrong would be forgotten.
   */
  #joinCuts(): void {
    const core = this.#core;
    const { cache, correct, dependencies } = core.settings;
    const store = cache?.driven ? cache[openState]?.() : undefined;
    this.#leaveCuts = store?.beforeCut(() => {
      const record = recordOf(core, undefined);
      cache!.set(this.#key, record, { ttlMs: Infinity }).catch((error) => core.host?.fail(error));
    });
    if (!correct) return;
    for (const source of [core.dependent, ...dependencies.map((each) => each.dependency)]) {
      for (const [other, flow] of gateOf(source).stores) {
        if (other === store) continue;
        throw new TypeError(
          `Cannot correct results of checkpoint ${
            JSON.stringify(core.name)
          } beside the exact state ` +
            `of flow ${
              JSON.stringify(flow)
            }: both must be kept in one store; give the checkpoint the ` +
            "Cache of that state, or a space() of it",
        );
      }
    }
  }

  /** Takes what is to be kept. */
  snapshot(): Commit | undefined {
    const { cache } = this.#core.settings;
    const travel = this.#travel;
    const record = cache && this.#leaveCuts === undefined
      ? recordOf(this.#core, travel?.owner)
      : undefined;
    const rows = travel?.snapshot();
    if (record === undefined && rows === undefined) return undefined;
    return async () => {
      const options = { durable: true, ttlMs: Infinity }; // whatever the cache says
      await Promise.all([rows?.(), record && cache?.set(this.#key, record, options)]);
    };
  }

  /** Ends everything that waits; a pause stays, for the next run. */
  close(host: Host): void {
    const core = this.#core;
    if (core.host !== host) return; // it was refused to that run, and is used in another one
    for (const silence of this.#silences.values()) silence.stop();
    this.#silences.clear();
    this.#waiting?.stop();
    this.#waiting = undefined;
    this.#removeGuard();
    this.#leaveCuts?.();
    this.#leaveCuts = undefined;
    const keys = core.settings.cache && running.get(core.settings.cache);
    if (keys?.get(this.#key) === this) keys.delete(this.#key);
    core.end();
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
    this.#core.inBackground(() => this.#core.advance());
  }

  #ended(dependency: Dependency): void {
    const { host } = this.#core;
    if (host === undefined || host.stopping.aborted) return;
    const vitals = dependency[inside];
    vitals.ended = true;
    if (vitals.isOver) this.complete(dependency);
  }

  /** A message of a dependency is about to be handled. */
  #begun(dependency: Dependency, receipt: Receipt): void {
    const vitals = dependency[inside];
    vitals.underWay.add(receipt);
    receipt.whenDone(() => {
      vitals.underWay.delete(receipt);
      this.#look(dependency);
      if (vitals.isOver) this.complete(dependency);
    });
  }

  /** Parts of a dependency may have been read to their end, which no heartbeat tells. */
  #look(dependency: Dependency): void {
    const core = this.#core;
    if (dependency.settings.idleParts === "hold" || !dependency[inside].advance()) return;
    core.inBackground(() => core.advance());
  }

  /** What is known of a part of a dependency says nothing about the whole. */
  #assertWhole(dependency: Dependency, given: number, total: number): void {
    const { host, name } = this.#core;
    if (given === total || host === undefined || host.stopping.aborted) return;
    throw new TypeError(
      `Cannot follow dependency ${JSON.stringify(dependency.name)} of checkpoint ` +
        `${
          JSON.stringify(name)
        }: this process reads ${given} of its ${total} partitions, since others ` +
        "read it in the same group; give each process a groupId of its own for it",
    );
  }

  /** A dependency is down although no pulse says so. */
  #isSilent(dependency: Dependency): void {
    const core = this.#core;
    if (!core.outages.declare(dependency)) return;
    core.tell(core.outages.eventOf(dependency, undefined));
    core.inBackground(() => core.fell([dependency]));
  }

  #wait(clock: Clock): void {
    const core = this.#core;
    const { waitMs, time } = core.settings;
    const waiting = this.#waiting = new Waiting(clock, waitMs, {
      frontier: () => core.frontier,
      timeOf: (message) => core.read(time!(message)),
      recheck: () => core.gate.recheck(),
      tell: (partition, time, waitedMs) => core.tellWaiting(partition, time, waitedMs),
    });
    this.#removeGuard = core.gate.guard((message) => waiting.admits(message));
  }
}
