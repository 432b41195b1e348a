import type { Branch } from "./hub.ts";
import type { Delivery } from "../run/delivery.ts";
import { type Emit, type Turn, UNBUFFERED } from "../stage/turn.ts";

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
