import { BREATH_EVERY } from "./breath.ts";
import type { Lane } from "./lane.ts";
import { type Emit, isPromiseLike, type Maybe } from "./turn.ts";

/**
 * Passes on what a handler returned: a value as it is, the value of a promise, or the yields of a
 * generator one by one. `undefined` is never passed on.
 *
 * A generator resumes only after its yield is done. It is closed with `return()` when a yield fails: the
 * failure of a sink is never thrown into it.
 */
export function spread(result: unknown, emit: Emit<unknown>, lane: Lane): Maybe {
  if (result === undefined) return;
  if (typeof result !== "object" || result === null) return emit(result);
  if (isPromiseLike(result)) return spreadPromise(result, emit, lane);
  switch ((result as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag]) {
    case "Generator":
      return spreadGenerator(result as Generator, emit, lane);
    case "AsyncGenerator":
      return spreadAsyncGenerator(result as AsyncGenerator, emit, lane);
  }
  return emit(result);
}

async function spreadPromise(
  result: Promise<unknown>,
  emit: Emit<unknown>,
  lane: Lane,
): Promise<void> {
  let value: unknown;
  try {
    value = await result;
  } catch (error) {
    throw lane.handlerError(error);
  }
  lane.goOn();
  if (value === undefined) return;
  const done = emit(value);
  if (done !== undefined) await done;
}

function spreadGenerator(
  generator: Iterator<unknown>,
  emit: Emit<unknown>,
  lane: Lane,
): Maybe {
  for (let yields = 1;; yields++) {
    const step = generator.next();
    if (step.done) return;
    if (yields % BREATH_EVERY === 0 && lane.host.breath.due) {
      return restOfGenerator(generator, breathing(step.value, emit, lane), emit, lane);
    }
    if (step.value === undefined) continue;
    let done: Maybe;
    try {
      done = emit(step.value);
    } catch (error) {
      close(generator, lane, error);
      throw error;
    }
    if (done !== undefined) return restOfGenerator(generator, done, emit, lane);
  }
}

/** Emits a value after a breath: a generator that yields for ever must not starve the others. */
async function breathing(value: unknown, emit: Emit<unknown>, lane: Lane): Promise<void> {
  await lane.host.breath.taken();
  if (value !== undefined) await emit(value);
}

/** Goes on with a generator after the first yield that had to be waited for. */
async function restOfGenerator(
  generator: Iterator<unknown>,
  first: Promise<void>,
  emit: Emit<unknown>,
  lane: Lane,
): Promise<void> {
  let done: Maybe = first;
  for (let yields = 1;; yields++) {
    try {
      if (done !== undefined) await done;
      if (yields % BREATH_EVERY === 0 && lane.host.breath.due) await lane.host.breath.taken();
      lane.goOn();
    } catch (error) {
      const failure = lane.sinkError(error);
      close(generator, lane, failure);
      throw failure;
    }
    let step: IteratorResult<unknown>;
    try {
      step = generator.next();
    } catch (error) {
      throw lane.handlerError(error);
    }
    if (step.done) return;
    try {
      done = step.value === undefined ? undefined : emit(step.value);
    } catch (error) {
      close(generator, lane, error);
      throw error;
    }
  }
}

async function spreadAsyncGenerator(
  generator: AsyncIterator<unknown>,
  emit: Emit<unknown>,
  lane: Lane,
): Promise<void> {
  for (let yields = 1;; yields++) {
    let step: IteratorResult<unknown>;
    try {
      if (yields % BREATH_EVERY === 0 && lane.host.breath.due) await lane.host.breath.taken();
      step = await generator.next();
    } catch (error) {
      throw lane.handlerError(error);
    }
    if (step.done) return;
    try {
      lane.goOn();
      if (step.value === undefined) continue;
      const done = emit(step.value);
      if (done !== undefined) await done;
      lane.goOn();
    } catch (error) {
      const failure = lane.sinkError(error);
      await closeAsync(generator, lane, failure);
      throw failure;
    }
  }
}

/** Closes a generator since `failure` has happened; what it throws then comes second. */
function close(generator: Iterator<unknown>, lane: Lane, failure: unknown): void {
  try {
    generator.return?.();
  } catch (error) {
    lane.also(lane.handlerError(error), failure);
  }
}

async function closeAsync(
  generator: AsyncIterator<unknown>,
  lane: Lane,
  failure: unknown,
): Promise<void> {
  try {
    await generator.return?.();
  } catch (error) {
    lane.also(lane.handlerError(error), failure);
  }
}
