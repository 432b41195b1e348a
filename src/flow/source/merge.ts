import type { Branch } from "./branches.ts";
import type { Delivery } from "../run/delivery.ts";
import type { Emit, Maybe } from "../stage/stage.ts";

/** What the sources of a merge do one after the other, in the order in which it came. */
export class MergeLine {
  #last = Promise.resolve();

  /** Runs a step when those before it are done. */
  run(step: () => Maybe): Promise<void> {
    const done = this.#last.then(step);
    this.#last = done.catch(() => {}); // the hub that the step belongs to deals with it
    return done;
  }
}

/**
 * Reads several branches of a flow into `emit`, one message at a time, in the order in which they came. Resolves when
 * all have ended.
 */
export async function merge(
  branches: readonly Branch<unknown>[],
  output: Delivery,
  emit: Emit<unknown>,
  line: MergeLine,
): Promise<void> {
  const inLine =
    ({ flowRun, delivery }: Branch<unknown>, branch: number): Emit<unknown> => (message) => {
      const { receipt } = delivery;
      return line.run(() => {
        flowRun.goOn();
        output.begin(message, receipt);
        output.branch = branch;
        return emit(message);
      });
    };
  await Promise.all(branches.map((branch, index) => branch.run(inLine(branch, index))));
}
