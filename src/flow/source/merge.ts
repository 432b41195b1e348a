import type { Source } from "../../types.ts";
import type { Branch } from "./hub.ts";
import type { Delivery } from "../run/delivery.ts";
import { type Emit, type Turn, UNBUFFERED } from "../stage/turn.ts";

/**
 * Several sources that one flow reads as one; made by {@linkcode merge}.
 *
 * @typeParam T The messages.
 */
export class Merge<T> {
  /** The sources, each object once; strings are values, so equal ones are several sources. */
  readonly sources: readonly Source<T>[];

  /** Merges `sources`; a merge among them stands for its own. */
  constructor(sources: readonly Source<T>[]) {
    const single = sources.flatMap((source) => source instanceof Merge ? source.sources : [source]);
    this.sources = single.filter((source, index) =>
      typeof source === "string" || single.indexOf(source) === index
    );
  }
}

/** The messages of a source. */
export type MessageOf<S> = S extends Source<infer T> ? T : never;

/**
 * Merges sources into one: the messages of each keep their order, and sources that always have a message
 * take turns. Each source keeps a gate and acknowledgements of its own; the merge ends with the last one.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App, merge } from "@slipstream/slipstream";
 *
 * const app = new App();
 * const seen: string[] = [];
 * app.handle(merge(["a", "b"], ["x", "y"]), (letter) => void seen.push(letter));
 * await app.stream();
 * assertEquals(seen, ["a", "x", "b", "y"]);
 * ```
 *
 * @typeParam S The sources.
 */
export function merge<S extends readonly Source<unknown>[]>(
  ...sources: S
): Merge<MessageOf<S[number]>> {
  return new Merge(sources as unknown as Source<MessageOf<S[number]>>[]);
}

/**
 * Reads several branches as one stream. Its one turn lasts as long as its sources: inside, every source
 * runs its own turns, and their messages pass one at a time, in the order in which they came.
 */
export function merged(
  branches: readonly Branch<unknown>[],
  output: Delivery,
): ReadableStream<Turn<unknown>> {
  const turn = Promise.withResolvers<void>();
  let begun = false;
  return new ReadableStream<Turn<unknown>>({
    async pull(controller) {
      if (begun) {
        await turn.promise; // the stages flush when the stream closes
        return controller.close();
      }
      begun = true;
      controller.enqueue({
        run: async (emit) => {
          let last = Promise.resolve();
          const inLine = ({ flowRun, delivery }: Branch<unknown>): Emit<unknown> => (message) => {
            const { receipt } = delivery;
            const done = last.then(() => {
              flowRun.goOn();
              output.root = message;
              output.receipt = receipt;
              output.from = undefined;
              return emit(message);
            });
            last = done.catch(() => {}); // the hub of this message deals with it
            return done;
          };
          await Promise.all(branches.map((branch) =>
            branch.readable().pipeTo(
              new WritableStream({ write: (turn) => turn.run(inLine(branch)) }),
            )
          ));
          turn.resolve();
        },
      });
    },
  }, UNBUFFERED);
}
