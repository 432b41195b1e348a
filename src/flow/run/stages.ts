import type { StatusEvent } from "../../status.ts";
import { skipReplays } from "../stage/correction.ts";
import type { OnError } from "../stage/error_policy.ts";
import { type ExactStage, makeStage } from "../stage/exact_pipes.ts";
import { handlerStage } from "../stage/handler.ts";
import { type OpaqueStageOptions, pipeStage } from "../stage/opaque_pipe.ts";
import { toOpaque } from "../stage/pipe_promises.ts";
import { DEAD_LETTERS, Recovery, type RecoveryHost } from "../stage/recovery.ts";
import { type SinkLocks, toSinks } from "../stage/flow_end.ts";
import type { Sinks } from "../stage/sinks.ts";
import { type Emit, type FlowStage, isPromiseLike, type Maybe } from "../stage/stage.ts";
import type { ConcurrentTicking, Ticking, TickingSource } from "../stage/ticking.ts";
import { queueOf } from "../proxy/proxy.ts";
import type { Host } from "../source/host.ts";
import type { Hub } from "../source/hub.ts";
import type { Ticker } from "../source/ticker.ts";
import { isStateKept, type StateStore } from "../state/state.ts";
import {
  assertKnown,
  briefStage,
  isAcknowledged,
  nameStage,
  outputsOf,
  trackStage,
  Working,
} from "../state/state_checks.ts";
import { RootMessage } from "../state/root_message.ts";
import { UndoLog } from "../state/undo_log.ts";
import { DONE, MessageWork, runAs } from "./attribution.ts";
import type { Binding } from "./binding.ts";
import { runDetached } from "./current.ts";
import { Delivery } from "./delivery.ts";
import type { FlowRun } from "./flow_run.ts";

/** What the stages of a flow need to know of the run. */
export interface StagesHost extends Host, RecoveryHost {
  readonly status: ((event: StatusEvent) => void) | undefined;
  readonly sinks: Sinks;
  readonly onError: OnError;
  /** Runs a commit soon; an error ends the run. */
  commitSoon(): void;
}

/** What the stages of a flow are made with. */
export interface StagesOptions {
  readonly host: StagesHost;
  readonly flowRun: FlowRun;
  readonly hubs: readonly Hub<unknown>[];
  /** The source before the Proxies that a flow with a window reads. */
  readonly origin: TickingSource | undefined;
  /** How long a call of the handler may take. */
  readonly timeoutMs: number;
  /** Where stores know the flow: the one that holds the positions of its messages, where there is one. */
  readonly tracked: { readonly state: StateStore | undefined } | undefined;
  /** True where no flow of the app handles messages concurrently. */
  readonly isAlone: boolean;
  /** The sinks that get one value at a time, where messages are handled concurrently. */
  readonly locks: SinkLocks | undefined;
  /** Gets the work of its stages that belongs to no message. */
  readonly tickers: Ticker[];
  /** What the chains of the flow share: its window. */
  readonly shared: { windows?: unknown };
  /** Where its window meets the others, where messages are handled concurrently. */
  readonly concurrent: ConcurrentTicking | undefined;
  /** The flow writes to `sink`, as is known only now. */
  writes(sink: unknown): void;
}

/** The stages of a flow for one message at a time. */
export interface Stages {
  /** What the first one reads. */
  readonly delivery: Delivery;
  readonly stages: readonly FlowStage<unknown, unknown>[];
  /** Its sinks. */
  readonly end: Emit<unknown>;
}

/** Makes the stages of a flow for one message at a time. */
export function makeStages(binding: Binding, options: StagesOptions): Stages {
  const { flowRun, host, tracked, locks } = options;
  const { pipes, handler, sinks, replays, onError = host.onError } = binding;
  const recovery = new Recovery(onError, flowRun, host, (sink, receipt) => {
    if (tracked !== undefined) assertKnown(sink, binding, host.onError);
    options.writes(sink); // known only now, where a function chose the policy
    return host.sinks.openOnce(sink, flowRun, DEAD_LETTERS, receipt);
  });
  flowRun.guard = (step, message) => guard(step, message, flowRun, recovery);
  flowRun.refuse = (error, delivery) => refuse(error, delivery, flowRun, recovery);
  const end = toSinks(sinks, flowRun, host.sinks, recovery, locks);
  const chain = new BackwardChain(binding, options, recovery);
  if (typeof handler !== "function") chain.opaque(toOpaque(handler)!);
  else chain.add(handlerStage(handler, flowRun, recovery, options.timeoutMs));
  for (const pipe of pipes.toReversed()) {
    const opaque = toOpaque(pipe);
    if (opaque !== undefined) chain.opaque(opaque);
    else chain.exact(pipe as ExactStage<unknown, unknown>);
  }
  if (replays === "skip") chain.add(skipReplays(chain.delivery));
  chain.begin();
  return { delivery: chain.delivery, stages: chain.stages, end };
}

/** Stages, from the end to the beginning: each must know the delivery that it writes for the next one. */
class BackwardChain {
  readonly stages: FlowStage<unknown, unknown>[] = [];
  /** What the first stage so far reads. */
  delivery: Delivery;
  readonly #binding: Binding;
  readonly #options: StagesOptions;
  readonly #recovery: Recovery;
  readonly #isAttributed: boolean;
  /**
   * True where each message has an attribution of its own: in flows that stores know, and in concurrent ones that a
   * checkpoint watches.
   */
  readonly #apart: boolean;

  constructor(binding: Binding, options: StagesOptions, recovery: Recovery) {
    this.#binding = binding;
    this.#options = options;
    this.#recovery = recovery;
    const { flowRun, hubs, tracked, locks } = options;
    this.delivery = flowRun;
    this.#isAttributed = hubs.some((hub) => hub.attributed || isAcknowledged(hub.feed));
    this.#apart = tracked !== undefined ||
      (this.#isAttributed && locks !== undefined && flowRun.witnessed);
    if (tracked !== undefined || hubs.some(({ feed }) => isAcknowledged(feed))) {
      flowRun.undoLog = new UndoLog(binding.name);
    }
  }

  /** Puts a stage that reads what the one behind it reads in front. */
  add(stage: FlowStage<unknown, unknown>): void {
    this.stages.unshift(stage);
  }

  /** Puts a pipe that nobody sees into, or such a handler, in front. */
  opaque(pipe: OpaqueStageOptions): void {
    this.#name();
    const { flowRun } = this.#options;
    const input = new Delivery();
    const work = this.#isAttributed ? new Working(flowRun, input) : undefined;
    const recovery = this.#recovery;
    this.add(pipeStage(pipe, { flowRun, input, output: this.delivery, recovery, work }));
    this.delivery = input;
  }

  /** Puts an exact pipe in front. */
  exact(pipe: ExactStage<unknown, unknown>): void {
    const { flowRun, host } = this.#options;
    const isSeparate = pipe.holds || pipe.ticks !== undefined;
    if (isSeparate) this.#name();
    const input = isSeparate ? new Delivery() : this.delivery;
    const ticking = pipe.ticks === undefined ? undefined : tickingOf(this.#binding, this.#options);
    const recovery = this.#recovery.forPipe();
    const place = { flowRun, input, output: this.delivery, recovery, ticking };
    this.add(pipe[makeStage](place, host.clock));
    this.delivery = input;
  }

  /** Has what is behind work for the message that it reads. */
  #name(): void {
    if (!this.#isAttributed || this.#apart) return;
    const { flowRun } = this.#options;
    flowRun.front = new Working(flowRun, this.delivery);
    this.add(nameStage(flowRun.front, this.delivery, flowRun.witnessed || isStateKept()));
  }

  /** Has all of it work for the message that the source gives. */
  begin(): void {
    if (!this.#apart) return this.#name();
    const { flowRun, tracked } = this.#options;
    if (this.#isBrief) {
      flowRun.front = DONE;
      this.add(briefStage(new Working(flowRun, this.delivery, tracked?.state)));
    } else {
      const exact = this.#binding.state !== undefined;
      this.add(trackStage(flowRun, this.delivery, { exact, state: tracked?.state }));
    }
  }

  /** True where only functions of the user's read a message: a window does, and an aggregation from Topic to Topic. */
  get #isBrief(): boolean {
    const { isAlone, origin, flowRun, tracked } = this.#options;
    if (!isAlone || origin !== undefined) return false;
    const { pipes, sources, aggregates } = this.#binding;
    if (pipes.length > 0) return (pipes[0] as ExactStage<unknown, unknown>).ticks !== undefined;
    const { onError } = this.#recovery;
    return aggregates && tracked?.state !== undefined && !flowRun.witnessed &&
      typeof onError !== "function" && sources.every(isSelfContained) &&
      outputsOf(this.#binding, onError).every((sink) =>
        sink === undefined || isSelfContained(sink) || queueOf(sink) !== undefined
      );
  }
}

/** Returns whether a source or a sink calls no code of the user's that may write to a state. */
function isSelfContained(end: unknown): boolean {
  return (end as { selfContained?: boolean }).selfContained === true;
}

/** What a stage of a flow is offered whose outputs belong to no message. */
function tickingOf(
  { name: flow, state, replays }: Binding,
  { flowRun, hubs, origin, host, tracked, tickers, shared, concurrent }: StagesOptions,
): Ticking {
  const gate = hubs[0]?.gate; // none where nothing is merged
  return {
    sources: origin === undefined ? hubs.map(({ tickers }) => tickers) : [origin],
    store: state,
    clock: host.clock,
    signal: host.signal,
    stopping: host.stopping,
    status: host.status,
    corrected: gate?.corrector !== undefined && replays !== "skip",
    provisional: (partition) => gate?.provisional?.(partition),
    epoch: () => gate?.epoch ?? 0,
    commitSoon: () => host.commitSoon(),
    fail: (error) => host.fail(error),
    write(sink, name, value, receipt) {
      const done: unknown = host.sinks.openOnce(sink, flowRun, name, receipt)(value);
      return isPromiseLike<void>(done) ? done : undefined;
    },
    runAs(root, receipt, step) {
      if (tracked === undefined) return step();
      const { guard, undoLog, host: { pending } } = flowRun;
      const work = { flow, guard, pending, state };
      if (!(receipt?.root instanceof RootMessage)) {
        return runAs({ ...work, root, receipt, undoLog }, step);
      }
      const apart = new UndoLog(flow, undefined, receipt.root);
      return MessageWork.begin(work, root, receipt, apart).run(step);
    },
    concurrent,
    share: <T>(make: () => T) => (shared.windows ??= make()) as T,
    connect: (ticker) => tickers.push(ticker),
  };
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
