import { SourceError } from "../../errors.ts";
import type { StatusEvent } from "../../status.ts";
import type { OnError } from "../stage/error_policy.ts";
import { runAs } from "./attribution.ts";
import { runDetached } from "./current.ts";
import { type Binding, sourceName } from "./binding.ts";
import { skipReplays } from "../stage/correction.ts";
import type { Feed } from "../source/feed.ts";
import type { Host } from "../source/host.ts";
import { feedOf, isFeedSource } from "../source/adapters.ts";
import { gateOf } from "../source/gate.ts";
import { handlerStage } from "../stage/handler.ts";
import { Branch, Hub, type HubHost } from "../source/hub.ts";
import { type FlowHost, FlowRun, STOPPED } from "./flow_run.ts";
import { Delivery } from "./delivery.ts";
import type { LiveFlow } from "../proxy/proxy_completion.ts";
import { merge, MergeLine } from "../source/merge.ts";
import { type ExactStage, makeStage } from "../stage/exact_pipes.ts";
import { type OpaqueStageOptions, pipeStage } from "../stage/opaque_pipe.ts";
import { toOpaque } from "../stage/pipe_promises.ts";
import { DEAD_LETTERS, deadLetterSink, Recovery, type RecoveryHost } from "../stage/recovery.ts";
import { queueOf } from "../proxy/proxy.ts";
import { ProxyQueue } from "../proxy/proxy_queue.ts";
import { addProxiedTicker, SourceOfProxies } from "../proxy/proxied_ticker.ts";
import { addMergedTicker } from "../source/merged_ticker.ts";
import type { Ticker } from "../source/ticker.ts";
import type { Ticking } from "../stage/ticking.ts";
import { assertNotAhead, assertOneTicker, assertTicks, wayOfTicks } from "../state/tick_checks.ts";
import { RootSource } from "../state/root_source.ts";
import { type SinkLocks, type Sinks, toSinks } from "../stage/sinks.ts";
import { KeyScheduler } from "../concurrency/key_scheduler.ts";
import { keysOf } from "../concurrency/keys.ts";
import { isStateKept, type StateStore } from "../state/state.ts";
import { type GroupHost, StateGroup } from "../state/state_group.ts";
import {
  assertKnown,
  assertPromised,
  findTracked,
  isAcknowledged,
  nameStage,
  trackStage,
  Working,
} from "../state/state_checks.ts";
import { UndoLog } from "../state/undo_log.ts";
import {
  chain,
  type Emit,
  type FlowStage,
  flushAll,
  isPromiseLike,
  type Maybe,
} from "../stage/stage.ts";

/** What the wiring needs to know of the run. */
export interface WiringHost extends Host, HubHost, FlowHost, RecoveryHost, GroupHost {
  readonly sinks: Sinks;
  readonly args: unknown;
  /** Why the run was stopped, if whoever did so has said it. */
  readonly reason: unknown;
  readonly onError: OnError;
  readonly status: ((event: StatusEvent) => void) | undefined;
  /** Called when the last stage of a flow has closed. */
  flowEnded(flow: string): void;
}

/** One flow, opened. */
interface Flow extends LiveFlow {
  /** Handles its messages, where it does so concurrently. */
  readonly scheduler: KeyScheduler | undefined;
  readonly branches: readonly Branch<unknown>[];
  ended: boolean;
  /** Begins to take messages; resolves when the flow has ended. */
  start(): Promise<void>;
}

/** What the stages of a flow are made with. */
interface StagesOptions {
  readonly flowRun: FlowRun;
  readonly hubs: readonly Hub<unknown>[];
  /** The source before the Proxies that a flow with a window reads. */
  readonly origin: SourceOfProxies | undefined;
  readonly writes: ProxyQueue<unknown>[];
  readonly timeoutMs: number;
  /** The sinks that get one value at a time, where messages are handled concurrently. */
  readonly locks: SinkLocks | undefined;
  /** Gets the work of its stages that belongs to no message. */
  readonly tickers: Ticker[];
}

/** The stages of a flow for one message at a time. */
interface Stages {
  /** What the first one reads. */
  readonly delivery: Delivery;
  readonly stages: readonly FlowStage<unknown, unknown>[];
  /** Its sinks. */
  readonly end: Emit<unknown>;
}

/**
 * Opens the sources and sinks of `bindings` and connects them; nothing flows before `start()`.
 *
 * @param stalls True where what is noted beside the cuts of a state must be of the same instant.
 */
export function open(bindings: readonly Binding[], host: WiringHost, stalls: boolean): Opened {
  const tracked = findTracked(bindings, host.onError);
  const opened = new Opened(host, bindings, tracked);
  try {
    for (const binding of bindings) opened.add(binding);
    const isConcurrent = tracked.keys().some(({ concurrency }) => concurrency !== undefined);
    const ticks = [...opened.hubs].some(({ tickers }) => tickers.length > 0);
    if (isConcurrent) opened.countMessages({ stall: stalls || ticks });
    for (const hub of opened.hubs) assertNotAhead(hub);
    assertPromised(bindings, host.onError, (source) => opened.isPositioned(source));
  } catch (error) {
    opened.abandon();
    throw error;
  }
  return opened;
}

/** What one run has opened. */
export class Opened {
  readonly hubs = new Set<Hub<unknown>>();
  readonly flows: Flow[] = [];
  /** All Proxies, with the hub of those that are read. */
  readonly proxies = new Map<ProxyQueue<unknown>, Hub<unknown> | undefined>();
  /** The stores that hold positions, each with its flows. */
  readonly groups: StateGroup[] = [];
  /** The Proxies that some flow writes to. */
  readonly written = new Set<ProxyQueue<unknown>>();

  readonly #host: WiringHost;
  readonly #bindings: readonly Binding[];
  readonly #tracked: ReadonlyMap<Binding, StateStore | undefined>;
  readonly #byStore = new Map<StateStore, StateGroup>();
  /** The hubs by their sources; strings are values and have none. */
  readonly #bySource = new Map<unknown, Hub<unknown>>();
  readonly #cancelled = new Map<Hub<unknown>, Promise<void>>();
  readonly #unobserve = new Map<Hub<unknown>, () => void>();

  constructor(
    host: WiringHost,
    bindings: readonly Binding[],
    tracked: ReadonlyMap<Binding, StateStore | undefined>,
  ) {
    this.#host = host;
    this.#bindings = bindings;
    this.#tracked = tracked;
  }

  /** Opens one flow. */
  add(binding: Binding): void {
    const host = this.#host;
    const { name, concurrency, onError = host.onError } = binding;
    const hubs = binding.sources.map((source) => this.#hub(source, name));
    const tickers: Ticker[] = [];
    assertTicks(binding, hubs, onError);
    const origin = this.#originOf(binding);
    const flowRun = this.#flowRun(name, hubs);
    const writes = this.#written([...binding.sinks, deadLetterSink(onError)]);
    const timeoutMs = typeof binding.handler === "function"
      ? this.#timeout(binding, hubs)
      : Infinity;
    const make = (flowRun: FlowRun, locks?: SinkLocks) =>
      this.#stages(binding, { flowRun, hubs, origin, writes, timeoutMs, locks, tickers });
    let branches: readonly Branch<unknown>[];
    /** Where messages come one by one with the work that belongs to none, and from several hubs. */
    const line = hubs.length !== 1 || origin !== undefined ? new MergeLine() : undefined;
    let run: () => Promise<void>;
    let scheduler: KeyScheduler | undefined;
    if (concurrency === undefined) {
      const { delivery, stages, end } = make(flowRun);
      branches = hubs.map((hub) =>
        hub.connect(flowRun, line === undefined ? delivery : new Delivery())
      );
      run = async () => {
        const emit = chain(stages, end);
        await (line === undefined ? branches[0]!.run(emit) : merge(branches, delivery, emit, line));
        await flushAll(stages);
      };
    } else {
      const locks: SinkLocks = new Map();
      scheduler = new KeyScheduler({
        max: concurrency.max,
        keyOf: keysOf(concurrency.by),
        eventLoop: host.eventLoop,
        makeChain: () => {
          const part = flowRun.fork();
          const { delivery, stages, end } = make(part, locks);
          return { flowRun: part, delivery, emit: chain(stages, end) };
        },
        failed: ({ flowRun }, error) => flowRun.die(flowRun.sinkError(error)),
      });
      branches = hubs.map((hub) => hub.connectConcurrent(flowRun, scheduler!, concurrency));
      run = async () => {
        await Promise.all(branches.map((branch) => branch.run(() => {})));
      };
    }
    /** Stands for the flow at the source before the Proxies. */
    const atOrigin = origin && new Branch(origin.hub, flowRun, new Delivery());
    for (const ticker of tickers) {
      if (atOrigin !== undefined) addProxiedTicker(ticker, atOrigin, origin!, line!, host);
      else if (line !== undefined) addMergedTicker(ticker, branches, line, host);
      else branches[0]!.hub.addTicker(branches[0]!, ticker, host.clock);
    }
    flowRun.leave = () => branches.forEach((branch) => branch.hub.leave(branch));
    if (binding.state !== undefined) {
      for (const branch of branches) this.#keepState(name, binding.state, branch);
    }
    const flow: Flow = {
      flowRun,
      hubs,
      branches: atOrigin === undefined ? branches : [...branches, atOrigin],
      scheduler,
      ended: false,
      writes,
      start: async () => {
        await Promise.resolve(); // all flows begin together
        await run();
        flow.ended = true;
        host.flowEnded(name);
      },
    };
    this.flows.push(flow);
  }

  /** Makes the stages of a flow for one message at a time. */
  #stages(binding: Binding, options: StagesOptions): Stages {
    const { flowRun, hubs, origin, writes, timeoutMs, locks, tickers } = options;
    const host = this.#host;
    const { name, handler, onError = host.onError } = binding;
    const recovery = new Recovery(onError, flowRun, host, (sink, receipt) => {
      if (this.#tracked.has(binding)) assertKnown(sink, binding, host.onError);
      writes.push(...this.#written([sink])); // known only now, where a function chose the policy
      return host.sinks.openOnce(sink, flowRun, DEAD_LETTERS, receipt);
    });
    flowRun.guard = (step, message) => guard(step, message, flowRun, recovery);
    flowRun.refuse = (error, delivery) => refuse(error, delivery, flowRun, recovery);
    const end = toSinks(binding.sinks, flowRun, host.sinks, recovery, locks);

    // From the end to the beginning, since each stage must know the delivery that it writes for the next one.
    const stages: FlowStage<unknown, unknown>[] = [];
    let delivery: Delivery = flowRun;
    const isTracked = this.#tracked.has(binding);
    const isAttributed = hubs.some((hub) => hub.attributed || isAcknowledged(hub.feed));
    if (isTracked || hubs.some(({ feed }) => isAcknowledged(feed))) {
      flowRun.undoLog = new UndoLog(name);
    }
    // Each message has an attribution of its own in flows that stores know, and in concurrent ones that a checkpoint watches.
    const apart = isTracked || (isAttributed && locks !== undefined && flowRun.witnessed);
    const named = () => {
      if (!isAttributed || apart) return;
      flowRun.front = new Working(flowRun, delivery);
      stages.unshift(nameStage(flowRun.front, delivery, flowRun.witnessed || isStateKept()));
    };
    const opaque = (options: OpaqueStageOptions) => {
      named();
      const input = new Delivery();
      const work = isAttributed ? new Working(flowRun, input) : undefined;
      stages.unshift(pipeStage(options, { flowRun, input, output: delivery, recovery, work }));
      delivery = input;
    };
    if (typeof handler !== "function") opaque(toOpaque(handler)!);
    else stages.unshift(handlerStage(handler, flowRun, recovery, timeoutMs));
    for (const pipe of binding.pipes.toReversed()) {
      const options = toOpaque(pipe);
      if (options !== undefined) {
        opaque(options);
        continue;
      }
      const exact = pipe as ExactStage<unknown, unknown>;
      const separate = exact.holds || exact.ticks !== undefined;
      if (separate) named();
      const input = separate ? new Delivery() : delivery;
      const ticking = exact.ticks === undefined
        ? undefined
        : this.#ticking(binding, { hubs, origin }, flowRun, (ticker) => {
          assertOneTicker(tickers, name, exact.ticks!);
          tickers.push(ticker);
        });
      const place = { flowRun, input, output: delivery, recovery: recovery.forPipe(), ticking };
      stages.unshift(exact[makeStage](place, host.clock));
      delivery = input;
    }
    if (binding.replays === "skip") stages.unshift(skipReplays(delivery));
    named();
    if (apart) {
      const state = this.#tracked.get(binding);
      const [first] = binding.pipes as readonly ExactStage<unknown, unknown>[];
      if (first?.ticks !== undefined && locks === undefined && origin === undefined) {
        // Only functions read the message there, and they have returned when the call has: one object serves all messages.
        // That cuts wait for it, the ticks see to.
        flowRun.front = new Working(flowRun, delivery, state);
        stages.unshift(nameStage(flowRun.front, delivery, true));
      } else {
        const exact = binding.state !== undefined;
        stages.unshift(trackStage(flowRun, delivery, { exact, state }));
      }
    }
    return { delivery, stages, end };
  }

  /** Has the messages of flows with state counted one by one, since several are handled at the same time. */
  countMessages({ stall }: { stall: boolean }): void {
    for (const { root, lookAhead } of this.hubs) {
      if (root === undefined) continue;
      if (root.stores > 1) {
        throw new TypeError(
          `Cannot keep exact state of the flows of source "${root.name}" in several caches while messages are ` +
            "handled concurrently: give them spaces of one cache",
        );
      }
      root.perMessage = true;
      root.repeats = lookAhead !== undefined;
    }
    for (const group of this.groups) group.stalls = stall;
  }

  /** Lets messages flow; resolves when all flows have ended. */
  async start(): Promise<void> {
    await Promise.all(this.flows.map((flow) => flow.start()));
  }

  /** Returns whether the messages of a source are acknowledged by position, as far as is known now. */
  isPositioned(source: unknown): boolean {
    const hub = this.#bySource.get(source);
    if (hub === undefined || !hub.positioned || this.isProxy(hub)) return false;
    return hub.feed.snapshot !== undefined || hub.feed.resumeBy !== undefined;
  }

  /** Returns whether `hub` reads a Proxy. */
  isProxy(hub: Hub<unknown>): boolean {
    return hub.feed instanceof ProxyQueue;
  }

  /** Closes a source that has ended, unless its positions are still to be committed. */
  release(hub: Hub<unknown>): void {
    if (hub.feed.snapshot === undefined) this.#cancel(hub);
  }

  /** Closes all sources. */
  async close(): Promise<void> {
    for (const hub of this.hubs) this.#cancel(hub);
    for (const queue of this.proxies.keys()) if (queue.readers.length === 0) queue.cancel();
    await Promise.all(this.#cancelled.values());
  }

  /** Lets nothing in flight go on: the hard end. */
  kill(): void {
    for (const { flowRun } of this.flows) flowRun.die(STOPPED);
  }

  /** Closes everything without waiting for it: the hard end. */
  abandon(): void {
    for (const group of this.groups) group.end();
    this.close();
    this.#host.sinks.close();
  }

  #cancel(hub: Hub<unknown>): void {
    if (this.#cancelled.has(hub)) return;
    hub.gate.attach(undefined);
    this.#unobserve.get(hub)?.();
    const cancel = async () => {
      try {
        await hub.feed.cancel(this.#host.reason);
      } catch (error) {
        this.#host.fail(hub.error(error));
      }
    };
    this.#cancelled.set(hub, runDetached(cancel));
  }

  #hub(source: unknown, flow: string): Hub<unknown> {
    const known = this.#bySource.get(source);
    if (known !== undefined) return known;
    const host = this.#host;
    const name = sourceName(source);
    const gate = gateOf(source);
    let feed: Feed<unknown>;
    try {
      feed = feedOf(source, host, gate);
    } catch (error) {
      throw new SourceError({ flow, source: name }, error);
    }
    const positioned = isFeedSource(source) && source.positioned !== false &&
      !(feed instanceof ProxyQueue);
    const hub = new Hub(name, feed, gate, host, positioned);
    this.hubs.add(hub);
    if (typeof source !== "string") this.#bySource.set(source, hub);
    const queue = queueOf(source);
    if (queue !== undefined) {
      queue.begin();
      this.proxies.set(queue, hub);
    }
    gate.attach(feed);
    let told = gate.reasons;
    const tell = () => {
      const { reasons } = gate;
      if (isSame(reasons, told)) return; // a partition, or a guard, has changed
      told = reasons;
      host.status?.({ type: "gate", source: name, reasons });
    };
    this.#unobserve.set(hub, gate.observe(tell));
    return hub;
  }

  /** The source that the messages of a flow with a window come from through Proxies; undefined for other flows. */
  #originOf(binding: Binding): SourceOfProxies | undefined {
    const way = wayOfTicks(binding, this.#bindings, this.#host.onError);
    if (way === undefined) return undefined;
    const { source, reader, proxies } = way;
    return new SourceOfProxies(
      this.#hub(source, reader.name),
      proxies.map((proxy) => this.#hub(proxy, binding.name)),
    );
  }

  /** What a stage of a flow is offered whose outputs belong to no message. */
  #ticking(
    binding: Binding,
    { hubs, origin }: Pick<StagesOptions, "hubs" | "origin">,
    flowRun: FlowRun,
    connect: (ticker: Ticker) => void,
  ): Ticking {
    const host = this.#host;
    const { name: flow, state } = binding;
    const isTracked = this.#tracked.has(binding);
    const { gate } = hubs[0]!;
    return {
      sources: origin === undefined ? hubs : [origin],
      store: state,
      clock: host.clock,
      signal: host.signal,
      stopping: host.stopping,
      status: host.status,
      corrected: gate.corrector !== undefined && binding.replays !== "skip",
      provisional: (partition) => gate.provisional?.(partition),
      epoch: () => gate.epoch,
      commitSoon: () => host.commitSoon(),
      fail: (error) => host.fail(error),
      write(sink, name, value, receipt) {
        const done: unknown = host.sinks.openOnce(sink, flowRun, name, receipt)(value);
        return isPromiseLike<void>(done) ? done : undefined;
      },
      runAs(root, receipt, step) {
        if (!isTracked) return step();
        const { guard, undoLog, host: { pending } } = flowRun;
        return runAs({ flow, root, receipt, guard, pending, undoLog, state }, step);
      },
      connect,
    };
  }

  /** How long a call of the handler may take; where the source has a limit of its own, this one replaces it. */
  #timeout({ handlerTimeoutMs }: Binding, hubs: readonly Hub<unknown>[]): number {
    const own = hubs.map(({ feed }) => feed.limit?.(handlerTimeoutMs) ?? Infinity);
    return handlerTimeoutMs ?? Math.min(...own);
  }

  /** Has the store hold the positions of a flow at one of its sources. */
  #keepState(flow: string, store: StateStore, branch: Branch<unknown>): void {
    const { hub } = branch;
    if (this.isProxy(hub)) return; // its messages belong to those that they were made from
    if (hub.feed.resumeBy === undefined) {
      throw new TypeError(
        `Cannot keep exact state of flow "${flow}": its source (${hub.name}) cannot begin at a position; ` +
          "read a Topic, or a source made by replayable()",
      );
    }
    let group = this.#byStore.get(store);
    if (group === undefined) {
      group = new StateGroup(store, this.#host);
      this.#byStore.set(store, group);
      this.groups.push(group);
    }
    if (hub.root === undefined) hub.feed.resumeBy(hub.root = new RootSource(hub));
    const twin = [...this.hubs].find((other) => other !== hub && other.root?.name === hub.name);
    if (twin !== undefined) {
      throw new TypeError(
        `Cannot keep exact state of flow "${flow}": two sources are named "${hub.name}"; ` +
          "give them different names, or read both through one object",
      );
    }
    hub.root.add(group, flow, branch);
    hub.gate.stores.set(store, flow);
  }

  #flowRun(flow: string, hubs: readonly Hub<unknown>[]): FlowRun {
    const { args, stopping, signal } = this.#host;
    const context = { args, stopping, signal, attempt: 1 };
    const source = hubs.map((hub) => hub.name).join(", ");
    const witnessed = hubs.some((hub) => hub.attributed);
    const flowRun = new FlowRun(flow, source, context, witnessed, this.#host);
    const queues = hubs.map((hub) => hub.feed).filter((feed) => feed instanceof ProxyQueue);
    for (const queue of queues) queue.readers.push(flowRun);
    flowRun.disconnect = () => {
      for (const queue of queues) queue.abandon();
      for (const hub of hubs) hub.stop();
    };
    return flowRun;
  }

  #written(sinks: readonly unknown[]): ProxyQueue<unknown>[] {
    const queues = sinks.map(queueOf).filter((queue) => queue !== undefined);
    for (const queue of queues) {
      this.written.add(queue);
      if (this.proxies.has(queue)) continue;
      queue.begin();
      this.proxies.set(queue, undefined);
    }
    return queues;
  }
}

/** Does with a message that could not be read what the error policy of a flow says. */
function refuse(
  error: Error,
  delivery: Delivery,
  flowRun: FlowRun,
  recovery: Recovery,
): Maybe {
  const wrap = (error: unknown) => flowRun.callError(error, delivery.root, delivery);
  const fail = () => {
    throw error;
  };
  // The message before it may be what is worked for.
  return runDetached(() => recovery.guard(fail, wrap));
}

/** Runs something that is done after a message under the error policy of its flow. */
async function guard(
  step: () => Maybe,
  message: unknown,
  flowRun: FlowRun,
  recovery: Recovery,
): Promise<void> {
  const wrap = (error: unknown) => flowRun.laterError(error, message);
  try {
    // What is done later is not part of the message that is in flight now.
    await runDetached(() => recovery.guard(step, wrap));
  } catch (error) {
    flowRun.die(wrap(error));
  }
}

/** Returns whether a gate has the same reasons, in the order in which they came. */
function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((each, index) => each === others[index]);
}
