import { attributed } from "./attribution.ts";
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
      return spreadGenerator(attributed(result as Generator, lane), emit, lane);
    case "AsyncGenerator":
      return spreadAsyncGenerator(attributed(result as AsyncGenerator, lane), emit, lane);
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
  if (value === undefined) return;
  const done = emit(value);
  if (done !== undefined) await done;
}

function spreadGenerator(
  generator: Iterator<unknown>,
  emit: Emit<unknown>,
  lane: Lane,
): Maybe {
  for (;;) {
    const step = generator.next();
    if (step.done) return;
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

/** Goes on with a generator after the first yield that had to be waited for. */
async function restOfGenerator(
  generator: Iterator<unknown>,
  first: Promise<void>,
  emit: Emit<unknown>,
  lane: Lane,
): Promise<void> {
  for (let done: Maybe = first;;) {
    try {
      if (done !== undefined) await done;
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
  for (;;) {
    let step: IteratorResult<unknown>;
    try {
      step = await generator.next();
    } catch (error) {
      throw lane.handlerError(error);
    }
    if (step.done) return;
    if (step.value === undefined) continue;
    try {
      const done = emit(step.value);
      if (done !== undefined) await done;
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
