import { AsyncLocalStorage } from "node:async_hooks";

/** For whom the code works that runs now; attribution.ts says what it is. */
const current = new AsyncLocalStorage<object | number | undefined>();
/** Those who have a number. */
const numbered = new Map<number, object>();
let lastNumber = 0;
/** True once somebody works for a message in this process: until then nothing is looked up. */
let entered = false;

/** Stands for the former holder of a number that was taken back. */
export const OVER: object = {};

/** Returns for whom the caller works; undefined for nobody. */
export function currentWork(): object | undefined {
  if (!entered) return undefined;
  const whom = current.getStore();
  return typeof whom === "number" ? numbered.get(whom) ?? OVER : whom;
}

/**
 * Gives `whom` a number to be entered by, until {@linkcode takeBack}. An entered object, and all it refers to, stays
 * alive until a major collection; for short-lived messages a number costs half as much.
 */
export function giveNumber(whom: object): number {
  numbered.set(++lastNumber, whom);
  return lastNumber;
}

/** Code entered by this number runs for nobody from now on. */
export function takeBack(number: number): void {
  numbered.delete(number);
}

/** Takes back the numbers of those for whom `test` returns true. */
export function takeBackAll(test: (whom: object) => boolean): void {
  for (const [number, whom] of numbered) if (test(whom)) numbered.delete(number);
}

/** Calls `step` as work for `whom`, or for the holder of that number. */
export function runFor<A extends unknown[], R>(
  whom: object | number,
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
