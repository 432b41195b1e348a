import { followProxies } from "../flow/run/attribution.ts";
import type { Commit, Companion, CompanionView, Host } from "../flow/source/host.ts";
import { gateOf } from "../flow/source/gate.ts";
import { openState } from "../flow/state/state.ts";
import type { CheckpointAlgorithm } from "./checkpoint_algorithm.ts";
import type { CheckpointState } from "./checkpoint_state.ts";
import { type Dependency, internals } from "./dependency.ts";
import { lookAt } from "./look.ts";
import { PartitionHandoff } from "./partition_handoff.ts";
import {
  type CheckpointRecord,
  handoffRecordOf,
  recordOf,
  restore,
  restorePartition,
  toRecord,
} from "./record.ts";

/** The checkpoints that are running, by the cache and the key under which they are kept. */
const running = new WeakMap<object, Map<string, CheckpointRun>>();

/** What a checkpoint does at the beginning, at every commit and at the end of a run. */
export class CheckpointRun implements Companion {
  readonly #algorithm: CheckpointAlgorithm;
  readonly #state: CheckpointState;
  readonly #key: string;
  readonly #handoff: PartitionHandoff | undefined;
  #leaveCuts: (() => void) | undefined;

  constructor(algorithm: CheckpointAlgorithm) {
    this.#algorithm = algorithm;
    const state = this.#state = algorithm.state;
    const { cacheKeyPrefix, dependencies, partitions } = state.settings;
    this.#key = `${cacheKeyPrefix}_${state.name}_`;
    state.gate.companions.add(this);
    followProxies();
    if (partitions !== undefined) {
      const handoff = this.#handoff = new PartitionHandoff(partitions, this.#key, {
        record: (partition) => handoffRecordOf(state, partition),
        restore(record) {
          // A dependency that is down has recovered only when these can be corrected, too.
          if (restorePartition(state, record)) algorithm.outages.raiseTargets();
        },
        forget: (partition) => state.results.drop(partition),
      });
      state.gate.beforeStart((given) => handoff.assign(given));
    }
    for (const dependency of dependencies) {
      const gate = gateOf(dependency.dependency);
      gate.attributed = true;
      gate.companions.add(this);
      gate.beforeStart((given, total) => this.#assertWhole(dependency, given.length, total));
      gate.witnesses = [...gate.witnesses, {
        begin: (message, receipt) => algorithm.began(dependency, message, receipt),
        dropped: (receipt) => dependency[internals].dropped(receipt),
        waits: () => algorithm.waits(dependency),
        ended: () => algorithm.ended(dependency),
      }];
    }
  }

  /** Loads the record. */
  async open(host: Host): Promise<void> {
    const state = this.#state;
    const { cache, dependencies } = state.settings;
    if (state.host !== undefined) {
      throw new TypeError(
        `Cannot use checkpoint ${JSON.stringify(state.name)} in two streams at once`,
      );
    }
    this.#claimKey();
    state.host = host;
    state.tracker.reset();
    for (const dependency of dependencies) dependency[internals].begin();
    this.#handoff?.begin();
    const kept = toRecord<CheckpointRecord>(this.#key, await cache?.get(this.#key));
    if (kept !== undefined) restore(state, kept);
    if (this.#handoff !== undefined) this.#handoff.owner = kept?.owner ?? this.#handoff.owner;
    this.#algorithm.begin();
  }

  /** Two checkpoints under one key would each go on with what the other knew. */
  #claimKey(): void {
    const { name, settings: { cache } } = this.#state;
    if (cache === undefined) return;
    const keys = running.getOrInsertComputed(cache, () => new Map<string, CheckpointRun>());
    if (keys.has(this.#key)) {
      throw new TypeError(
        `Cannot keep checkpoint ${JSON.stringify(name)} under ${JSON.stringify(this.#key)}: ` +
          "another running checkpoint is kept there; give it a name or a cacheKeyPrefix of its own",
      );
    }
    keys.set(this.#key, this);
  }

  /** The sources are open. */
  start(): void {
    const { name, gate, settings } = this.#state;
    if (settings.correct && gate.read && !gate.seekable) {
      throw new TypeError(
        `Cannot correct results of checkpoint ${JSON.stringify(name)}: its dependent has no ` +
          "positions to go back to; use a Topic, or omit correct",
      );
    }
    this.#joinCuts();
    this.#checkHandoff();
    this.#algorithm.start();
  }

  /** Handoff needs partitions that may go to other processes: those of a flow with exact state may not. */
  #checkHandoff(): void {
    const { gate, name } = this.#state;
    if (this.#handoff === undefined || !gate.read) return;
    const flow = [...gate.stores.values()][0];
    if (gate.parts !== undefined && flow === undefined) return;
    throw new TypeError(
      `Cannot keep the partitions of checkpoint ${JSON.stringify(name)}: ` +
        (flow === undefined
          ? "its dependent has none; use a Topic, or omit partitions"
          : `flow ${
            JSON.stringify(flow)
          } has exact state, so no other process reads them; omit partitions`),
    );
  }

  /**
   * Where the cache holds exact state, the record is part of every cut: both are of one instant. With a
   * record of another instant, messages would count twice, and stale results would be forgotten.
   */
  #joinCuts(): void {
    const state = this.#state;
    const { cache, correct } = state.settings;
    const store = cache?.driven ? cache[openState]?.() : undefined;
    this.#leaveCuts = store?.beforeCut(() => {
      const record = recordOf(state, undefined, true);
      cache!.set(this.#key, record, { ttl: Infinity }).catch((error) => state.host?.fail(error));
    });
    if (!correct) return;
    const { dependent, sources } = this.#algorithm;
    for (const source of [dependent, ...sources]) {
      for (const [other, flow] of gateOf(source).stores) {
        if (other === store) continue;
        throw new TypeError(
          `Cannot correct results of checkpoint ${JSON.stringify(state.name)} beside the exact ` +
            `state of flow ${JSON.stringify(flow)}: both must be kept in one store; give the ` +
            "checkpoint the Cache of that state, or a space() of it",
        );
      }
    }
  }

  /** Takes the record, and returns a function that writes it. */
  snapshot(): Commit | undefined {
    const { cache } = this.#state.settings;
    const handoff = this.#handoff;
    const record = cache && this.#leaveCuts === undefined
      ? recordOf(this.#state, handoff?.owner)
      : undefined;
    const rows = handoff?.snapshot();
    if (record === undefined && rows === undefined) return undefined;
    return async () => {
      const options = { durable: true, ttl: Infinity }; // whatever the cache says
      await Promise.all([rows?.(), record && cache?.set(this.#key, record, options)]);
    };
  }

  /** Tells how far it is, for whoever looks. */
  look(): CompanionView {
    return lookAt(this.#algorithm);
  }

  /** Ends everything that waits; a pause stays, for the next run. */
  close(host: Host): void {
    const state = this.#state;
    if (state.host !== host) return; // it was refused to that run, and is used in another one
    this.#leaveCuts?.();
    this.#leaveCuts = undefined;
    const keys = state.settings.cache && running.get(state.settings.cache);
    if (keys?.get(this.#key) === this) keys.delete(this.#key);
    this.#algorithm.end();
  }

  /** The partitions of a dependency that one process reads say nothing about the others. */
  #assertWhole(dependency: Dependency, given: number, total: number): void {
    const { host, name } = this.#state;
    if (given === total || host === undefined || host.stopping.aborted) return;
    throw new TypeError(
      `Cannot follow dependency ${JSON.stringify(dependency.name)} of checkpoint ` +
        `${JSON.stringify(name)}: this process reads ${given} of its ${total} partitions, since ` +
        "others read it in the same group; give each process a groupId of its own for it",
    );
  }
}
