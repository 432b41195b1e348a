/** Nothing, or a promise of it: where nothing returns a promise, nothing awaits. */
export type Maybe = void | Promise<void>;

/** Passes one value on. A throw or a rejection means that the value is not done and never will be. */
export type Emit<T> = (value: T) => Maybe;

/** One step on a message's way through a flow. */
export interface FlowStage<A, B> {
  /** Returns where its messages come in, given where they go on to. */
  readonly wrap: (emit: Emit<B>) => Emit<A>;
  /** Called once at the end; what it emits still reaches the stages behind. */
  readonly flush: (() => Maybe) | undefined;
}

/** Makes a stage. */
export function stage<A, B>(
  wrap: (emit: Emit<B>) => Emit<A>,
  flush?: () => Maybe,
): FlowStage<A, B> {
  return { wrap, flush };
}

/** Returns where the messages of `stages` come in, given where they go on to behind the last one. */
export function chain(
  stages: readonly FlowStage<unknown, unknown>[],
  end: Emit<unknown>,
): Emit<unknown> {
  return stages.reduceRight((emit, { wrap }) => wrap(emit), end);
}

/** Has each stage put out what it has left, the first one first. */
export async function flushAll(stages: readonly FlowStage<unknown, unknown>[]): Promise<void> {
  for (const { flush } of stages) await flush?.();
}

/** No queue of its own: a stream that reads ahead would take messages before they are asked for. */
export const UNBUFFERED = { highWaterMark: 0 };

/** Returns whether `value` is a promise, or can be awaited like one. */
export function isPromiseLike<T>(value: unknown): value is Promise<T> {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}

/** Returns whether `value` is what a generator function returns, also an async one. */
export function isGenerator(value: unknown): value is Generator | AsyncGenerator {
  const tag = (value as { [Symbol.toStringTag]?: unknown } | null | undefined)
    ?.[Symbol.toStringTag];
  return tag === "Generator" || tag === "AsyncGenerator";
}
