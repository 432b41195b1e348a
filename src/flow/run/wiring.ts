import type { StatusEvent } from "../../status.ts";
import type { OnError } from "../stage/error_policy.ts";
import type { Binding } from "./binding.ts";
import type { Branch } from "../source/branches.ts";
import type { Hub } from "../source/hub.ts";
import { Sources, type SourcesHost } from "../source/sources.ts";
import { type FlowHost, FlowRun, STOPPED } from "./flow_run.ts";
import { Delivery } from "./delivery.ts";
import type { LiveFlow } from "../proxy/proxy_completion.ts";
import { Proxies } from "../proxy/proxies.ts";
import { ProxyQueue } from "../proxy/proxy_queue.ts";
import { addProxiedTicker, SourceOfProxies } from "../proxy/proxied_ticker.ts";
import { merge, MergeLine } from "../source/merge.ts";
import { addMergedTicker } from "../source/merged_ticker.ts";
import { deadLetterSink } from "../stage/recovery.ts";
import { makeStages, type Stages, type StagesHost, type StagesOptions } from "./stages.ts";
import type { Ticker } from "../source/ticker.ts";
import { assertTicks, hasWindow, wayOfTicks } from "../state/tick_checks.ts";
import type { SinkLocks } from "../stage/flow_end.ts";
import type { ConcurrentTicking } from "../stage/ticking.ts";
import { Admission } from "../concurrency/admission.ts";
import { concurrencyOf, concurrentSources } from "../concurrency/beside.ts";
import { GivenResults } from "../concurrency/given_results.ts";
import { KeyScheduler } from "../concurrency/key_scheduler.ts";
import { keysOf } from "../concurrency/keys.ts";
import type { Concurrency } from "../concurrency/options.ts";
import type { StateStore } from "../state/state.ts";
import type { GroupHost } from "../state/state_group.ts";
import { StateGroups } from "../state/state_groups.ts";
import { assertPromised, findTracked } from "../state/state_checks.ts";
import { chain, flushAll } from "../stage/stage.ts";

/** What the wiring needs to know of the run. */
export interface WiringHost extends SourcesHost, FlowHost, StagesHost, GroupHost {
  readonly args: unknown;
  readonly onError: OnError;
  readonly status: ((event: StatusEvent) => void) | undefined;
  /** Called when the last stage of a flow has closed. */
  flowEnded(flow: string): void;
}

/** A flow at its sources. */
interface Connected {
  /** Handles its messages, where it does so concurrently. */
  readonly scheduler: KeyScheduler | undefined;
  readonly branches: readonly Branch<unknown>[];
  /** Takes messages; resolves when none come any more and all are passed on. */
  run(): Promise<void>;
}

/** One flow, opened. */
export interface Flow extends LiveFlow, Omit<Connected, "run"> {
  /** Its work that belongs to no message, where it has a window. */
  readonly ticker: Ticker | undefined;
  ended: boolean;
  /** Begins to take messages; resolves when the flow has ended. */
  start(): Promise<void>;
}

/** Makes the stages of a flow: for all its messages, or for those handled one after the other beside others. */
type MakeStages = (
  flowRun: FlowRun,
  locks?: SinkLocks,
  concurrent?: ConcurrentTicking,
) => Stages;

/**
 * Opens the sources and sinks of `bindings` and connects them; nothing flows before `start()`.
 *
 * @param stalls True where what is noted beside the cuts of a state must be of the same instant.
 */
export function open(bindings: readonly Binding[], host: WiringHost, stalls: boolean): Opened {
  const tracked = findTracked(bindings, host.onError);
  const opened = new Opened(host, bindings, tracked);
  const { sources, groups } = opened;
  try {
    for (const binding of bindings) opened.add(binding);
    const isConcurrent = tracked.keys().some(({ concurrency }) => concurrency !== undefined);
    if (isConcurrent) groups.countMessages(sources.hubs, stalls);
    assertPromised(bindings, host.onError, (source) => sources.isPositioned(source));
  } catch (error) {
    opened.abandon();
    throw error;
  }
  return opened;
}

/** What one run has opened: its flows, between their sources and sinks. */
export class Opened {
  readonly flows: Flow[] = [];
  readonly sources: Sources;
  readonly proxies: Proxies;
  readonly groups: StateGroups;
  readonly #host: WiringHost;
  readonly #bindings: readonly Binding[];
  readonly #tracked: ReadonlyMap<Binding, StateStore | undefined>;
  /** The sources of flows that handle their messages concurrently. */
  readonly #concurrent: ReadonlySet<unknown>;

  constructor(
    host: WiringHost,
    bindings: readonly Binding[],
    tracked: ReadonlyMap<Binding, StateStore | undefined>,
  ) {
    this.#host = host;
    this.#bindings = bindings;
    this.#tracked = tracked;
    this.#concurrent = concurrentSources(bindings);
    this.proxies = new Proxies(this.flows, host);
    this.sources = new Sources(host, this.proxies);
    this.groups = new StateGroups(host);
  }

  /** Opens one flow. */
  add(binding: Binding): void {
    const host = this.#host;
    const { name, state, sinks, onError = host.onError } = binding;
    const concurrency = concurrencyOf(binding, this.#concurrent);
    const hubs = binding.sources.map((source) => this.sources.open(source, name));
    assertTicks(binding, hubs, onError, concurrency !== undefined);
    const origin = this.#originOf(binding);
    const flowRun = this.#flowRun(name, hubs);
    const writes = this.proxies.write([...sinks, deadLetterSink(onError)]);
    const tickers: Ticker[] = [];
    const options: Omit<StagesOptions, "flowRun" | "locks" | "concurrent"> = {
      host,
      hubs,
      origin,
      tickers,
      shared: {},
      isAlone: this.#concurrent.size === 0,
      timeoutMs: typeof binding.handler === "function" ? timeoutOf(binding, hubs) : Infinity,
      tracked: this.#tracked.has(binding) ? { state: this.#tracked.get(binding) } : undefined,
      writes: (sink) => void writes.push(...this.proxies.write([sink])),
    };
    const make: MakeStages = (flowRun, locks, concurrent) =>
      makeStages(binding, { ...options, flowRun, locks, concurrent });
    // Set where messages and the work that belongs to none come from several hubs: it does them one by one.
    const line = hubs.length !== 1 || origin !== undefined ? new MergeLine() : undefined;
    const { run, branches, scheduler } = concurrency === undefined
      ? connect(flowRun, hubs, make, line)
      : connectConcurrent(binding, flowRun, hubs, make, concurrency);
    const atOrigin = origin?.hub.branches.standIn(flowRun, new Delivery());
    const [ticker] = tickers;
    if (ticker !== undefined) {
      if (atOrigin !== undefined) addProxiedTicker(ticker, atOrigin, origin!, line!);
      else if (line !== undefined) addMergedTicker(ticker, flowRun, hubs, branches, line);
      else hubs[0]!.tickers.add(branches[0]!, ticker);
    }
    flowRun.leave = () => branches.forEach((branch) => branch.leave());
    if (state !== undefined) {
      for (const [index, hub] of hubs.entries()) {
        this.groups.add(name, state, branches[index]!, hub, this.sources.hubs);
      }
    }
    const flow: Flow = {
      flowRun,
      hubs,
      branches: atOrigin === undefined ? branches : [...branches, atOrigin],
      scheduler,
      ticker,
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

  /** The source that the messages of a flow with a window come from through Proxies; undefined for other flows. */
  #originOf(binding: Binding): SourceOfProxies | undefined {
    const way = wayOfTicks(binding, this.#bindings, this.#host.onError);
    if (way === undefined) return undefined;
    const { source, reader, proxies } = way;
    return new SourceOfProxies(
      this.sources.open(source, reader.name),
      proxies.map((proxy) => this.sources.open(proxy, binding.name)),
    );
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

  /** Lets messages flow; resolves when all flows have ended. */
  async start(): Promise<void> {
    await Promise.all(this.flows.map((flow) => flow.start()));
  }

  /** Has the sources hand out nothing more. */
  stop(): void {
    this.proxies.stop();
    this.sources.stop();
  }

  /** Closes all sources. */
  async close(): Promise<void> {
    const closed = this.sources.close();
    this.proxies.close();
    await closed;
  }

  /** Lets nothing in flight go on: the hard end. */
  kill(): void {
    for (const { flowRun } of this.flows) flowRun.die(STOPPED);
  }

  /** Closes everything without waiting for it: the hard end. */
  abandon(): void {
    this.groups.end();
    this.close();
    this.#host.sinks.close();
  }
}

/** Connects a flow that handles one message after the other. */
function connect(
  flowRun: FlowRun,
  hubs: readonly Hub<unknown>[],
  make: MakeStages,
  line: MergeLine | undefined,
): Connected {
  const { delivery, stages, end } = make(flowRun);
  const branches = hubs.map((hub) =>
    hub.branches.add(flowRun, line === undefined ? delivery : new Delivery())
  );
  const run = async () => {
    const emit = chain(stages, end);
    await (line === undefined ? branches[0]!.run(emit) : merge(branches, delivery, emit, line));
    await flushAll(stages);
  };
  return { scheduler: undefined, branches, run };
}

/** Connects a flow that handles several messages at the same time. */
function connectConcurrent(
  binding: Binding,
  flowRun: FlowRun,
  hubs: readonly Hub<unknown>[],
  make: MakeStages,
  concurrency: Concurrency,
): Connected {
  const locks: SinkLocks = new Map();
  const failed = (flowRun: FlowRun, error: unknown) => flowRun.die(flowRun.sinkError(error));
  const window = hasWindow(binding)
    ? {
      admission: new Admission({
        isDead: () => flowRun.dead,
        failed: (error) => failed(flowRun, error),
      }),
      results: new GivenResults({
        scheduler: () => scheduler,
        ahead: concurrency.ahead,
        stopping: flowRun.context.stopping,
        single: binding.concurrency === undefined,
      }),
    }
    : undefined;
  const newPort = () => ({ passed: [], give: () => {} });
  if (window !== undefined) make(flowRun.fork(), locks, { ...window, port: newPort() });
  const scheduler: KeyScheduler = new KeyScheduler({
    max: concurrency.max,
    keyOf: keysOf(concurrency.by),
    eventLoop: flowRun.host.eventLoop,
    makeChain: () => {
      const part = flowRun.fork();
      const port = window && newPort();
      const { delivery, stages, end } = make(part, locks, port && { ...window!, port });
      return { flowRun: part, delivery, emit: chain(stages, end), window: port };
    },
    failed: ({ flowRun }, error) => failed(flowRun, error),
    admission: window?.admission,
    freed: window && (() => window.results.freed()),
  });
  const branches = hubs.map((hub) => hub.connectConcurrent(flowRun, scheduler, concurrency));
  if (window !== undefined) hubs[0]!.lookAhead!.tell(window.admission);
  const run = async () => {
    await Promise.all(branches.map((branch) => branch.run(() => {})));
  };
  return { scheduler, branches, run };
}

/** How long a call of the handler may take; where the source has a limit of its own, this one replaces it. */
function timeoutOf({ handlerTimeoutMs }: Binding, hubs: readonly Hub<unknown>[]): number {
  const own = hubs.map(({ feed }) => feed.limit?.(handlerTimeoutMs) ?? Infinity);
  return handlerTimeoutMs ?? Math.min(...own);
}
