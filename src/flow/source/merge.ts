import type { Branch } from "./branches.ts";
import type { Delivery } from "../run/delivery.ts";
import type { Emit } from "../stage/stage.ts";

/**
 * Reads several branches of a flow into `emit`, one message at a time, in the order in which they came. Resolves when
 * all have ended.
 */
export async function merge(
  branches: readonly Branch<unknown>[],
  output: Delivery,
  emit: Emit<unknown>,
): Promise<void> {
  let last = Promise.resolve();
  const inLine = ({ flowRun, delivery }: Branch<unknown>): Emit<unknown> => (message) => {
    const { receipt } = delivery;
    const done = last.then(() => {
      flowRun.goOn();
      output.begin(message, receipt);
      return emit(message);
    });
    last = done.catch(() => {}); // the hub of this message deals with it
    return done;
  };
  await Promise.all(branches.map((branch) => branch.run(inLine(branch))));
}
