import { AsyncLocalStorage } from "node:async_hooks";

/** For whom the code works that runs now; attribution.ts says what it is. */
const current = new AsyncLocalStorage<object | number | undefined>();
/** The holders of the last numbers, each in the place of its number: most are taken back before that is needed again. */
const latest: (object | undefined)[] = new Array(1_024).fill(undefined);
/** The holders of earlier numbers. */
const earlier = new Map<number, object>();
let lastNumber = 0;
/** True once somebody works for a message in this process: until then nothing is looked up. */
let entered = false;
/** For whom the code works until a call of {@linkcode runBriefly} returns. */
let brief: object | undefined;

/** Stands for the former holder of a number that was taken back. */
export const OVER: object = {};

/** Returns for whom the caller works; undefined for nobody. */
export function currentWork(): object | undefined {
  if (brief !== undefined) return brief;
  if (!entered) return undefined;
  const whom = current.getStore();
  if (typeof whom !== "number") return whom;
  return (isLatest(whom) ? latest[placeOf(whom)] : earlier.get(whom)) ?? OVER;
}

/**
 * Gives `whom` a number to be entered by, until {@linkcode takeBack}. An entered object, and all it refers to, stays
 * alive until a major collection; for short-lived messages a number costs half as much.
 */
export function giveNumber(whom: object): number {
  const place = placeOf(++lastNumber);
  const before = latest[place];
  if (before !== undefined) earlier.set(lastNumber - latest.length, before);
  latest[place] = whom;
  return lastNumber;
}

/** Code entered by this number runs for nobody from now on. */
export function takeBack(number: number): void {
  if (isLatest(number)) latest[placeOf(number)] = undefined;
  else earlier.delete(number);
}

/** Takes back the numbers of those for whom `test` returns true. */
export function takeBackAll(test: (whom: object) => boolean): void {
  for (let place = 0; place < latest.length; place++) {
    const whom = latest[place];
    if (whom !== undefined && test(whom)) latest[place] = undefined;
  }
  for (const [number, whom] of earlier) if (test(whom)) earlier.delete(number);
}

/** Calls `step` as work for `whom`, or for the holder of that number. */
export function runFor<A extends unknown[], R>(
  whom: object | number | undefined,
  step: (...args: A) => R,
  ...args: A
): R {
  entered = true;
  const outer = brief;
  brief = undefined;
  try {
    return current.run(whom, step, ...args);
  } finally {
    brief = outer;
  }
}

/**
 * Calls `step` as work for `whom`, at no cost, until it returns: what it has begun goes on for whom the caller works.
 */
export function runBriefly<A, R>(whom: object, step: (value: A) => R, value: A): R {
  const outer = brief;
  brief = whom;
  try {
    return step(value);
  } finally {
    brief = outer;
  }
}

/** Returns whether the caller works for somebody only until a call returns. */
export function worksBriefly(): boolean {
  return brief !== undefined;
}

/** Calls `step` on behalf of nobody: what goes on after a wait has nothing to do with who ended the wait. */
export function runDetached<T>(step: () => T): T {
  // Not `exit()`: in Deno what waits within it goes on with what was left.
  return currentWork() === undefined ? step() : runFor(undefined, step);
}

function isLatest(number: number): boolean {
  return lastNumber - number < latest.length;
}

function placeOf(number: number): number {
  return number % latest.length;
}
