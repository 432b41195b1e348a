import { type ExactPipe, type ExactStage, makeStage } from "../flow/stage/exact_pipes.ts";
import { type Maybe, stage } from "../flow/stage/stage.ts";

/**
 * Makes a pipe that carries acknowledgements exactly: values that it emits while it handles a message belong to that
 * message, which is done when all of them are.
 *
 * - `open` is called once for each flow in each run, so its state belongs to that run.
 * - The function that it returns is called with one message after the other. Each call emits as often as it likes,
 *   awaits each `emit()`, and is over when its promise resolves: an `emit()` after that throws.
 * - An error, thrown or as a rejection, meets the flow's `onError`; a retry calls it again.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App, type ExactPipe } from "@slipstream/slipstream";
 * import { exactPipe } from "@slipstream/slipstream/connector";
 *
 * // Passes a value on when it differs from the one before.
 * function changes<T>(): ExactPipe<T, T> {
 *   return exactPipe((emit) => {
 *     let last: T | undefined;
 *     return (value) => {
 *       if (value === last) return;
 *       last = value;
 *       return emit(value);
 *     };
 *   });
 * }
 *
 * const app = new App();
 * const seen: number[] = [];
 * app.handle([1, 1, 2, 2, 1], changes<number>(), (n) => n, { sink: (n) => seen.push(n) });
 * await app.stream();
 * assertEquals(seen, [1, 2, 1]);
 * ```
 *
 * @typeParam A The type of its input.
 * @typeParam B The type of its output.
 * @throws {TypeError} If `open` is not a function.
 */
export function exactPipe<A, B>(
  open: (emit: (output: B) => void | Promise<void>) => (input: A) => void | Promise<void>,
): ExactPipe<A, B> {
  if (typeof open !== "function") {
    throw new TypeError(`Cannot make an exact pipe: it must be a function, got ${open}`);
  }
  const pipe: ExactStage<A, B> = {
    holds: false,
    single: true,
    repeats: true,
    [makeStage]: ({ flowRun, input, recovery }) =>
      stage((emit) => {
        let handling = false;
        const call = open((output) => {
          if (!handling) throw new Error("Cannot emit after the message is done: await emit()");
          flowRun.goOn();
          return emit(output);
        });
        return (message) => {
          const failed = (error: unknown) => flowRun.callError(error, message, input);
          const over = () => void (handling = false);
          const step = (): Maybe => {
            handling = true;
            try {
              const done = call(message);
              if (done === undefined) return over();
              return done.then(over, (error) => {
                over();
                throw failed(error);
              });
            } catch (error) {
              over();
              throw failed(error);
            }
          };
          return recovery.guard(step, failed);
        };
      }),
  };
  return pipe;
}
