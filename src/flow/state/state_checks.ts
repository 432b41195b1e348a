import type { OnError } from "../stage/error_policy.ts";
import { type Attribution, DONE, MessageWork, onBehalf, runAs } from "../run/attribution.ts";
import { type Binding, sourceName } from "../run/binding.ts";
import type { Feed, FeedSource } from "../source/feed.ts";
import type { FlowRun } from "../run/flow_run.ts";
import type { Delivery } from "../run/delivery.ts";
import { runBriefly } from "../run/current.ts";
import { gateOf } from "../source/gate.ts";
import { toOpaque } from "../stage/pipe_promises.ts";
import type { ExactStage } from "../stage/exact_pipes.ts";
import { deadLetterSink } from "../stage/recovery.ts";
import type { Pending } from "../run/pending.ts";
import { queueOf } from "../proxy/proxy.ts";
import { ProxyQueue } from "../proxy/proxy_queue.ts";
import type { Receipt } from "../source/receipt.ts";
import type { StateStore } from "./state.ts";
import { RootMessage } from "./root_message.ts";
import { UndoLog } from "./undo_log.ts";
import { type FlowStage, stage } from "../stage/stage.ts";

/**
 * Finds the flows that stores must know: those that keep state, those beside them at the same sources, and all
 * that get anything of them through Proxies. With each comes the store that holds its positions: its state, or
 * behind Proxies that of all that write to them; undefined where there is none or several.
 *
 * @throws {TypeError} If the state of a flow could not be exact; the error says what to change.
 */
export function findTracked(
  bindings: readonly Binding[],
  onError: OnError,
): Map<Binding, StateStore | undefined> {
  const tracked = new Map<Binding, StateStore | undefined>();
  const keeping = bindings.filter(({ state }) => state !== undefined);
  const sources = new Set(keeping.flatMap(({ sources }) => sources));
  for (const binding of bindings) {
    if (binding.sources.some((source) => sources.has(source))) tracked.set(binding, binding.state);
  }
  for (const [binding, state] of tracked) {
    for (const reader of readersOf(outputsOf(binding, onError), bindings)) {
      const known = tracked.get(reader);
      if (!tracked.has(reader)) tracked.set(reader, state);
      else if (reader.state === undefined && known !== undefined && known !== state) {
        tracked.delete(reader); // what it passes on must be looked at again
        tracked.set(reader, undefined);
      }
    }
  }
  for (const binding of tracked.keys()) assertExactPipes(binding);
  for (const binding of keeping) assertFed(binding, bindings, onError);
  for (const [binding, state] of tracked) {
    if (state !== undefined) assertNothingSentTwice(binding, bindings, onError);
  }
  return tracked;
}

/** Everything that a flow is known to write to. */
export function outputsOf(binding: Binding, onError: OnError): unknown[] {
  return [...binding.sinks, deadLetterSink(binding.onError ?? onError)];
}

/** The stage in front of a tracked flow: everything behind it runs on behalf of the message. */
export function trackStage(
  flowRun: FlowRun,
  delivery: Delivery,
  { exact, state }: { exact: boolean; state: StateStore | undefined },
): FlowStage<unknown, unknown> {
  const { flow, guard, host: { pending }, undoLog: all } = flowRun;
  const work = { flow, guard, pending, state };
  return stage((emit) => (message) => {
    const { root, receipt } = delivery;
    if (exact && (receipt?.root === undefined || receipt.sent)) {
      const sent = new TypeError(
        "user code sent it to a Proxy, so it has no position and the state would not be exact; " +
          "return or yield it in a flow with state, so that its sink writes it",
      );
      throw flowRun.callError(sent, message, delivery);
    }
    // What user code has sent is its own: nothing says whether it was handled.
    const undoLog = receipt === undefined || receipt.sent
      ? undefined
      : receipt.root instanceof RootMessage
      ? new UndoLog(flow, undefined, receipt.root)
      : all;
    // A checkpoint may be called after the message is done, and then needs its receipt.
    if (receipt === undefined || flowRun.witnessed) {
      return runAs({ ...work, root, receipt, undoLog }, emit, message);
    }
    return MessageWork.begin(work, root, receipt, undoLog).run(emit, message);
  });
}

/** Whom what reads a delivery works for: the message that is in it. */
export class Working implements Attribution {
  readonly flow: string;
  readonly pending: Pending;
  readonly #flowRun: FlowRun;
  readonly #delivery: Delivery;

  constructor(flowRun: FlowRun, delivery: Delivery, readonly state?: StateStore | undefined) {
    this.flow = flowRun.flow;
    this.pending = flowRun.host.pending;
    this.#flowRun = flowRun;
    this.#delivery = delivery;
  }

  get root(): unknown {
    return this.#delivery.root;
  }

  get receipt(): Receipt | undefined {
    return this.#delivery.receipt;
  }

  get guard(): Attribution["guard"] {
    return this.#flowRun.guard;
  }

  /** What user code has sent is its own: nothing says whether it was handled. */
  get undoLog(): UndoLog | undefined {
    return this.receipt?.sent === false ? this.#flowRun.undoLog : undefined;
  }
}

/**
 * The stage in front of what reads `delivery`: it works for the message there.
 *
 * @param always Also for what has no receipt; else that costs nothing.
 */
export function nameStage(
  work: Attribution,
  delivery: Delivery,
  always: boolean,
): FlowStage<unknown, unknown> {
  return stage((emit) => {
    const named = onBehalf(work, emit);
    return (message) => delivery.receipt || always ? named(message) : emit(message);
  });
}

/**
 * The stage in front of what reads a delivery, where that calls only functions, which have returned when the call has:
 * `work` serves all messages. What they leave running works for a message that is done.
 */
export function briefStage(work: Attribution): FlowStage<unknown, unknown> {
  return stage((emit) => onBehalf(DONE, (message) => runBriefly(work, emit, message)));
}

/** Returns whether a source, or what writes to a Proxy, relies on its messages being done. */
export function isAcknowledged(feed: Feed<unknown>): boolean {
  return feed instanceof ProxyQueue || feed.snapshot !== undefined || feed.resumeBy !== undefined;
}

/** The flows that read one of these Proxies. */
function readersOf(sinks: readonly unknown[], bindings: readonly Binding[]): Binding[] {
  const queues = queuesOf(sinks);
  return bindings.filter(({ sources }) =>
    queuesOf(sources).some((queue) => queues.includes(queue))
  );
}

/** Those that are Proxies. */
export function queuesOf(ends: readonly unknown[]): ProxyQueue<unknown>[] {
  return ends.map(queueOf).filter((queue) => queue !== undefined);
}

/**
 * A stage that holds messages back keeps them open, so that no cut comes, and nobody sees what it makes its
 * outputs of.
 */
function assertExactPipes(binding: Binding): void {
  if (!anyHolds(binding, "holds")) return;
  throw new TypeError(
    `Cannot keep exact state with flow "${binding.name}": batch(), pipe functions and TransformStreams hold ` +
      "messages back; use map() and filter(), collect in the state, or read the source a second time",
  );
}

/**
 * Checks the flows that get something of a source with positions, also through Proxies: where nobody can see
 * what a pipe holds back, its messages could be acknowledged before they are handled.
 *
 * @throws {TypeError} If such a pipe has no promise of its author; the error says what to write.
 */
export function assertPromised(
  bindings: readonly Binding[],
  onError: OnError,
  isPositioned: (source: unknown) => boolean = isKnownAsPositioned,
): void {
  for (const source of new Set(bindings.flatMap(({ sources }) => sources))) {
    if (!isPositioned(source)) continue;
    for (const binding of behindSource(source, bindings, onError)) {
      const opaque = firstUnpromised(binding);
      if (opaque === undefined) continue;
      throw new TypeError(
        `Cannot put ${opaque} of flow "${binding.name}" behind source "${
          sourceName(source)
        }", which ` +
          "has positions: the engine cannot see what it holds back, so messages would be committed before they " +
          "are handled, and a crash would lose them; use map(), filter() or flatMap(), or promise how it works: " +
          "sequential(pipe) if it holds nothing of earlier messages when it asks for the next, else " +
          "untilEnd(pipe), which acknowledges when it ends",
      );
    }
  }
}

function isKnownAsPositioned(source: unknown): boolean {
  return (source as Partial<FeedSource<unknown>> | null)?.positioned === true;
}

/** The first stage of a flow that nobody can see into, in words. */
function firstUnpromised({ pipes, handler }: Binding): string | undefined {
  const named = (stage: unknown) => {
    const name = typeof stage === "function" ? stage.name : stage?.constructor.name;
    return name ? ` (${name})` : "";
  };
  const isUnpromised = (stage: unknown) => {
    const opaque = toOpaque(stage);
    return opaque !== undefined && opaque.promise === undefined;
  };
  const place = pipes.findIndex(isUnpromised);
  if (place >= 0) {
    const number = pipes.length === 1 ? "" : ` ${place + 1}`;
    return `pipe${number}${named(pipes[place])}`;
  }
  if (typeof handler === "function" || !isUnpromised(handler)) return undefined;
  return `the stream handler${named(handler)}`;
}

/** The flows that read a source, and all that get anything of them through Proxies. */
function behindSource(
  source: unknown,
  bindings: readonly Binding[],
  onError: OnError,
): Set<Binding> {
  const behind = new Set(bindings.filter(({ sources }) => sources.includes(source)));
  for (const binding of behind) {
    for (const reader of readersOf(outputsOf(binding, onError), bindings)) behind.add(reader);
  }
  return behind;
}

/**
 * Checks the flows that get something of a source that a checkpoint moves back: the source rests until its
 * messages are done, so a message that waits for the next one would wait for ever.
 *
 * @throws {TypeError} If a stage of theirs may hold messages back until others come.
 */
export function assertCorrectable(bindings: readonly Binding[], onError: OnError): void {
  for (const source of new Set(bindings.flatMap(({ sources }) => sources))) {
    const { corrector } = gateOf(source);
    if (corrector === undefined) continue;
    for (const binding of behindSource(source, bindings, onError)) {
      if (!anyHolds(binding, "waits")) continue;
      throw new TypeError(
        `Cannot correct results of checkpoint ${JSON.stringify(corrector)} beside flow ` +
          `"${binding.name}": pipe functions, TransformStreams and a batch() without a time may hold ` +
          "messages back until others come; give batch() a time, use map() and filter(), or read the " +
          "source a second time",
      );
    }
  }
}

/** Returns whether a stage holds messages back, as far as anybody can see; with `"waits"`, until others come. */
function anyHolds({ handler, pipes }: Binding, how: "holds" | "waits"): boolean {
  return typeof handler !== "function" ||
    pipes.some((pipe) =>
      toOpaque(pipe) !== undefined || (pipe as ExactStage<unknown, unknown>)[how]
    );
}

/** After a failed call of the handler, what it had sent to a Proxy is counted behind it. */
function assertNothingSentTwice(
  binding: Binding,
  bindings: readonly Binding[],
  onError: OnError,
): void {
  const reader = readersOf(binding.sinks, bindings)[0];
  if (reader === undefined || (binding.onError ?? onError) === "stop") return;
  throw new TypeError(
    `Cannot keep exact state with the onError of flow "${binding.name}": values it sent to a Proxy ` +
      `before an error would stay in the state of flow "${reader.name}"; use "stop" there`,
  );
}

/**
 * A Proxy for dead letters that a policy names only when something fails is not known when the app starts: its
 * reader would write to the state unseen.
 */
export function assertKnown(sink: unknown, binding: Binding, onError: OnError): void {
  if (queueOf(sink) === undefined || outputsOf(binding, onError).includes(sink)) return;
  throw new TypeError(
    `Cannot keep exact state with flow "${binding.name}": its onError is a function that sends dead ` +
      "letters to a Proxy; set onError: { deadLetter: proxy }, or send them to another sink",
  );
}

/** Everything that comes to a flow with state must have a position in the same store. */
function assertFed(
  binding: Binding,
  bindings: readonly Binding[],
  onError: OnError,
): void {
  const store = binding.state!;
  for (const queue of queuesOf(binding.sources)) {
    for (const writer of bindings) {
      if (!queuesOf(outputsOf(writer, onError)).includes(queue)) continue;
      if (writer.state === store) continue;
      throw new TypeError(
        `Cannot keep exact state in flow "${binding.name}": it reads a Proxy that flow ` +
          `"${writer.name}" writes to; give that one a name and the same state`,
      );
    }
  }
}
