import { whenSettled } from "../source/iteration.ts";
import { YIELD_EVERY } from "../run/event_loop.ts";
import type { FlowRun } from "../run/flow_run.ts";
import { type Emit, isPromiseLike, type Maybe } from "./stage.ts";

/**
 * Passes on a handler's result: a value as it is, the value of a promise, or the yields of a generator one by one.
 * `undefined` is never passed on.
 *
 * A generator resumes only after its yield is done. It is closed with `return()` when a yield fails: the
 * failure of a sink is never thrown into it.
 */
export class Results {
  /** Passes on the value of the promise that a call has returned. */
  readonly fulfilled: (value: unknown) => Maybe;
  readonly #rejected: (error: unknown) => never;
  readonly #emit: Emit<unknown>;
  readonly #flowRun: FlowRun;

  /** Passes on to `emit`. */
  constructor(emit: Emit<unknown>, flowRun: FlowRun) {
    this.#emit = emit;
    this.#flowRun = flowRun;
    this.fulfilled = (value) => {
      flowRun.callGoesOn();
      if (value !== undefined) return emit(value);
    };
    this.#rejected = (error) => {
      throw flowRun.handlerError(error);
    };
  }

  /** Passes on what a call has returned. */
  pass(result: unknown): Maybe {
    if (result === undefined) return;
    const emit = this.#emit;
    if (typeof result !== "object" || result === null) return emit(result);
    if (isPromiseLike(result)) {
      return whenSettled(result, this.fulfilled, this.#rejected) as Promise<void>;
    }
    switch ((result as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag]) {
      case "Generator":
        return spreadGenerator(result as Generator, emit, this.#flowRun);
      case "AsyncGenerator":
        return spreadAsyncGenerator(result as AsyncGenerator, emit, this.#flowRun);
    }
    return emit(result);
  }
}

function spreadGenerator(
  generator: Iterator<unknown>,
  emit: Emit<unknown>,
  flowRun: FlowRun,
): Maybe {
  for (let yields = 1;; yields++) {
    const step = generator.next();
    if (step.done) return;
    if (yields % YIELD_EVERY === 0 && flowRun.host.eventLoop.mustYield) {
      return restOfGenerator(generator, afterYield(step.value, emit, flowRun), emit, flowRun);
    }
    if (step.value === undefined) continue;
    let done: Maybe;
    try {
      done = emit(step.value);
    } catch (error) {
      close(generator, flowRun, error);
      throw error;
    }
    if (done !== undefined) return restOfGenerator(generator, done, emit, flowRun);
  }
}

/** Emits a value after yielding to the event loop: a generator that yields for ever must not starve the others. */
async function afterYield(value: unknown, emit: Emit<unknown>, flowRun: FlowRun): Promise<void> {
  await flowRun.host.eventLoop.yielded();
  if (value !== undefined) await emit(value);
}

/** Goes on with a generator after the first yield that had to be waited for. */
async function restOfGenerator(
  generator: Iterator<unknown>,
  first: Promise<void>,
  emit: Emit<unknown>,
  flowRun: FlowRun,
): Promise<void> {
  let done: Maybe = first;
  for (let yields = 1;; yields++) {
    try {
      if (done !== undefined) await done;
      if (yields % YIELD_EVERY === 0 && flowRun.host.eventLoop.mustYield) {
        await flowRun.host.eventLoop.yielded();
      }
      flowRun.callGoesOn();
    } catch (error) {
      const failure = flowRun.sinkError(error);
      close(generator, flowRun, failure);
      throw failure;
    }
    let step: IteratorResult<unknown>;
    try {
      step = generator.next();
    } catch (error) {
      throw flowRun.handlerError(error);
    }
    if (step.done) return;
    try {
      done = step.value === undefined ? undefined : emit(step.value);
    } catch (error) {
      close(generator, flowRun, error);
      throw error;
    }
  }
}

async function spreadAsyncGenerator(
  generator: AsyncIterator<unknown>,
  emit: Emit<unknown>,
  flowRun: FlowRun,
): Promise<void> {
  for (let yields = 1;; yields++) {
    let step: IteratorResult<unknown>;
    try {
      if (yields % YIELD_EVERY === 0 && flowRun.host.eventLoop.mustYield) {
        await flowRun.host.eventLoop.yielded();
      }
      step = await generator.next();
    } catch (error) {
      throw flowRun.handlerError(error);
    }
    if (step.done) return;
    try {
      flowRun.callGoesOn();
      if (step.value === undefined) continue;
      const done = emit(step.value);
      if (done !== undefined) await done;
      flowRun.callGoesOn();
    } catch (error) {
      const failure = flowRun.sinkError(error);
      await closeAsync(generator, flowRun, failure);
      throw failure;
    }
  }
}

/** Closes a generator since `failure` has happened; what it throws then comes second. */
function close(generator: Iterator<unknown>, flowRun: FlowRun, failure: unknown): void {
  try {
    generator.return?.();
  } catch (error) {
    flowRun.also(flowRun.handlerError(error), failure);
  }
}

async function closeAsync(
  generator: AsyncIterator<unknown>,
  flowRun: FlowRun,
  failure: unknown,
): Promise<void> {
  try {
    await generator.return?.();
  } catch (error) {
    flowRun.also(flowRun.handlerError(error), failure);
  }
}
