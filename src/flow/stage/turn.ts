/** Nothing, or a promise of it: where nothing returns a promise, nothing awaits. */
export type Maybe = void | Promise<void>;

/** Passes one value on. A throw or a rejection means that the value is not done and never will be. */
export type Emit<T> = (value: T) => Maybe;

/**
 * The chunk of the streams inside the engine: permission for up to {@linkcode TURN} messages, which are
 * pulled from the source one by one while `run` runs. A hop of a web stream costs about a microsecond, a
 * call some nanoseconds; with turns each message costs calls only, and is still done before the next one
 * is asked for.
 */
export interface Turn<T> {
  /** Passes the messages of this turn to `emit`, one after the other; returns when the turn is over. */
  run(emit: Emit<T>): Maybe;
}

/** How many messages one turn may pass on. */
export const TURN = 256;

/** No queue of its own: a stage that reads ahead would hold turns back from the others. */
export const UNBUFFERED = { highWaterMark: 0 };

/**
 * Makes a stage: each turn that comes in goes out as a turn whose messages are passed through `wrap(emit)`.
 *
 * `flush` is called once after the last turn; what it emits still reaches the stages behind.
 */
export function stage<A, B>(
  wrap: (emit: Emit<B>) => Emit<A>,
  flush: () => Maybe = () => {},
): TransformStream<Turn<A>, Turn<B>> {
  let emit: Emit<B> | undefined;
  let wrapped: Emit<A>;
  return new TransformStream<Turn<A>, Turn<B>>(
    {
      transform(turn, controller) {
        controller.enqueue({
          run(next) {
            if (next !== emit) wrapped = wrap(emit = next);
            return turn.run(wrapped);
          },
        });
      },
      flush,
    },
    undefined,
    UNBUFFERED,
  );
}

/** The end of a flow: runs every turn, passing its messages to `emit`. */
export function last<T>(emit: Emit<T>): WritableStream<Turn<T>> {
  return new WritableStream<Turn<T>>({ write: (turn) => turn.run(emit) });
}

/** Returns whether `value` is a promise, or can be awaited like one. */
export function isPromiseLike<T>(value: unknown): value is Promise<T> {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}
