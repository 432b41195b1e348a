import { queueOf } from "../proxy/proxy.ts";
import { type FlowRun, LATE } from "../run/flow_run.ts";
import type { Recovery } from "./recovery.ts";
import type { Sinks } from "./sinks.ts";
import { type Emit, isGenerator, isPromiseLike, type Maybe } from "./stage.ts";

/** Makes the end of a flow: every value goes to all sinks, one after the other, in their order. */
export function toSinks(
  sinks: readonly unknown[],
  flowRun: FlowRun,
  opened: Sinks,
  recovery: Recovery,
  locks?: SinkLocks,
) {
  const emits = sinks.map((sink, index) => {
    const name = sinkName(sink, index);
    try {
      const emit = opened.open(sink, flowRun, name);
      const write = locks && typeof sink !== "function" && queueOf(sink) === undefined
        ? oneAtATime(emit, locks.getOrInsertComputed(sink, () => new SinkLock()), flowRun)
        : emit;
      return one(write, name, flowRun, recovery);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new TypeError(`Cannot open ${name} of flow "${flowRun.flow}": ${reason}`, { cause });
    }
  });
  if (emits.length === 0) return () => {};
  if (emits.length === 1) return emits[0]!;
  return (value: unknown): Maybe => {
    for (let index = 0; index < emits.length; index++) {
      const done = emits[index]!(value);
      if (done !== undefined) return theRest(done, emits, index + 1, value, flowRun);
    }
  };
}

/** The sinks of a flow that get one value at a time though messages are handled concurrently. */
export type SinkLocks = Map<unknown, SinkLock>;

/** Who writes to a sink now, and who waits for that. */
export class SinkLock {
  /** Settles when nobody writes any more who is before the next; undefined when nobody does now. */
  last: Promise<void> | undefined;
}

/** Has `write` called when all earlier calls are over. */
function oneAtATime(write: Emit<unknown>, lock: SinkLock, flowRun: FlowRun): Emit<unknown> {
  const hold = (done: Promise<void>): Promise<void> => {
    const over = done.then(() => {}, () => {}).then(() => {
      if (lock.last === over) lock.last = undefined;
    });
    lock.last = over;
    return done;
  };
  return (value) => {
    if (lock.last !== undefined) {
      return hold(lock.last.then(() => {
        flowRun.callGoesOn();
        return write(value);
      }));
    }
    const done: unknown = write(value);
    return isPromiseLike<void>(done) ? hold(Promise.resolve(done)) : done as Maybe;
  };
}

async function theRest(
  first: Promise<void>,
  emits: readonly Emit<unknown>[],
  next: number,
  value: unknown,
  flowRun: FlowRun,
): Promise<void> {
  try {
    await first;
    for (let index = next; index < emits.length; index++) {
      flowRun.goOn();
      const done = emits[index]!(value);
      if (done !== undefined) await done;
    }
  } catch (error) {
    throw flowRun.sinkError(error);
  }
}

/** One sink of a flow: notes what it was given, wraps what it throws, and applies the policy. */
function one(
  sink: Emit<unknown>,
  name: string,
  flowRun: FlowRun,
  recovery: Recovery,
): Emit<unknown> {
  const write: Emit<unknown> = (value) => {
    if (flowRun.late !== undefined) throw LATE;
    flowRun.output = value;
    flowRun.sink = name;
    let done: unknown;
    try {
      done = sink(value);
    } catch (error) {
      throw flowRun.sinkError(error);
    }
    if (typeof done !== "object" || done === null) return;
    if (isPromiseLike<void>(done)) {
      flowRun.writing = name;
      return done instanceof Promise ? done : Promise.resolve(done);
    }
    if (!isGenerator(done)) return;
    throw flowRun.sinkError(
      new TypeError(
        "it returned a generator, which runs only while it is iterated: return nothing",
      ),
    );
  };
  if (recovery.stops) return write;
  const wrap = (error: unknown) => {
    if (flowRun.late === undefined) return flowRun.sinkError(error);
    if (error !== LATE) flowRun.also(flowRun.sinkError(error), LATE); // the call has failed already
    return LATE;
  };
  return (value) => recovery.guard(() => write(value), wrap);
}

/** The name of a sink in errors: the function's, or its place in the list. */
function sinkName(sink: unknown, index: number): string {
  const name = typeof sink === "function" ? sink.name : sink?.constructor?.name ?? "";
  return name === "" || name === "Object" ? `sink ${index + 1}` : `sink ${index + 1} (${name})`;
}
