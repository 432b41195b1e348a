import { AsyncLocalStorage } from "node:async_hooks";

/** For whom the code works that runs now; attribution.ts says what it is. */
const current = new AsyncLocalStorage<object | undefined>();
/** True once somebody works for a message in this process: until then nothing is looked up. */
let entered = false;

/** Returns for whom the caller works; undefined for nobody. */
export function currentWork(): object | undefined {
  return entered ? current.getStore() : undefined;
}

/** Calls `step` as work for `whom`. */
export function runFor<A extends unknown[], R>(
  whom: object,
  step: (...args: A) => R,
  ...args: A
): R {
  entered = true;
  return current.run(whom, step, ...args);
}

/** Calls `step` on behalf of nobody: what goes on after a wait has nothing to do with who ended the wait. */
export function runDetached<T>(step: () => T): T {
  // Not `exit()`: in Deno what waits within it goes on with what was left.
  return currentWork() === undefined ? step() : current.run(undefined, step);
}
