import type { OnError } from "../types.ts";
import { type Attribution, passOnBehalf } from "./attribution.ts";
import type { Binding } from "./binding.ts";
import type { Lane, Slot } from "./lane.ts";
import { isStreamPair } from "./pipe.ts";
import { deadLetterSink } from "./policy.ts";
import { queueOf } from "./proxy.ts";
import type { ProxyQueue } from "./proxy_queue.ts";
import { stage, type Turn } from "./turn.ts";

/**
 * Finds the flows whose writes belong to cuts: those that keep state, and all that get anything of them
 * through Proxies.
 *
 * @throws {TypeError} If the state of a flow could not be exact; the error says what to change.
 */
export function findTracked(bindings: readonly Binding[], onError: OnError): Set<Binding> {
  const keeping = bindings.filter(({ state }) => state !== undefined);
  const read = new Set(keeping.flatMap(({ sources }) => sources));
  const beside = bindings.filter(({ sources }) => sources.some((source) => read.has(source)));
  for (const binding of withReaders(beside, bindings, onError)) assertExactPipes(binding);
  for (const binding of keeping) assertFed(binding, bindings);
  const tracked = withReaders(keeping, bindings, onError);
  for (const binding of tracked) assertNothingSentTwice(binding, bindings, onError);
  return tracked;
}

/** These flows, and all that get anything of them through Proxies. */
function withReaders(
  flows: readonly Binding[],
  bindings: readonly Binding[],
  onError: OnError,
): Set<Binding> {
  const all = new Set(flows);
  for (const binding of all) {
    const sinks = [...binding.sinks, deadLetterSink(binding.onError ?? onError)];
    for (const next of readersOf(sinks, bindings)) all.add(next);
  }
  return all;
}

/** The stage in front of a tracked flow: everything behind it runs on behalf of the message. */
export function trackStage(
  lane: Lane,
  slot: Slot,
  { exact, undoes }: { exact: boolean; undoes: boolean },
): TransformStream<Turn<unknown>, Turn<unknown>> {
  return stage((emit) => (message) => {
    const { root, receipt } = slot;
    if (receipt?.root === undefined) {
      lane.attribution = undefined;
      if (!exact) return emit(message);
      const sent = new TypeError(
        "user code sent it to a Proxy, so it has no position and the state would not be exact; " +
          "send it from a flow with state",
      );
      throw lane.handlerError(sent, message);
    }
    const changes = undoes ? [] : undefined;
    const { flow, guard } = lane;
    const attribution: Attribution = { flow, root, receipt, guard, changes };
    lane.attribution = attribution;
    return passOnBehalf(attribution, emit, message);
  });
}

function readersOf(sinks: readonly unknown[], bindings: readonly Binding[]): Binding[] {
  const queues = queuesOf(sinks);
  return bindings.filter(({ sources }) =>
    queuesOf(sources).some((queue) => queues.includes(queue))
  );
}

function queuesOf(ends: readonly unknown[]): ProxyQueue<unknown>[] {
  return ends.map(queueOf).filter((queue) => queue !== undefined);
}

/**
 * A stage that holds messages back keeps them open, so that no cut comes, and nobody sees what it makes its
 * outputs of.
 */
function assertExactPipes({ name, handler, pipes }: Binding): void {
  const opaque = isStreamPair(handler) ||
    pipes.some((pipe) => typeof pipe === "function" || isStreamPair(pipe) || pipe.holds);
  if (!opaque) return;
  throw new TypeError(
    `Cannot keep exact state with flow "${name}": batch(), pipe functions and TransformStreams hold ` +
      "messages back; use map() and filter(), collect in the state, or read the source a second time",
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
    `Cannot keep exact state with the onError of flow "${binding.name}": what it sent to a Proxy ` +
      `before an error would stay in the state of flow "${reader.name}"; use "stop" there`,
  );
}

/** Everything that comes to a flow with state must have a position in the same store. */
function assertFed(binding: Binding, bindings: readonly Binding[]): void {
  const store = binding.state!;
  for (const queue of queuesOf(binding.sources)) {
    for (const writer of bindings) {
      if (!queuesOf(writer.sinks).includes(queue)) continue;
      if (writer.state === store) continue;
      throw new TypeError(
        `Cannot keep exact state in flow "${binding.name}": it reads a Proxy that flow ` +
          `"${writer.name}" writes to; give that one a name and the same state`,
      );
    }
  }
}
