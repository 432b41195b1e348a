/**
 * Iterators as `for await` treats them: hand-made ones too, which answer without a promise, with a thenable, or
 * with what is not an answer at all.
 */

/** An iterator that is being read. */
export interface OpenIterator {
  readonly iterator: { readonly return?: unknown };
  /** Asks it: its `next` is looked up once. */
  readonly asked: { next(): unknown };
  /** True where nobody made it by hand: an async one answers with promises, which need no care. */
  readonly native: boolean;
  /** True for an iterator whose answers are promises. */
  readonly async: boolean;
}

/** Returns whether `for await` can read `value`. */
export function isIterable(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  return typeof methodOf(value)?.method === "function";
}

/** Asks `source` for its iterator. */
export function openIterator(source: unknown): OpenIterator {
  const { method, async } = methodOf(source)!;
  const iterator = (method as () => unknown).call(source);
  const symbol = async ? "[Symbol.asyncIterator]()" : "[Symbol.iterator]()";
  assertObject(iterator, symbol);
  const { next } = iterator as { next?: unknown };
  if (typeof next !== "function") {
    const promised = iterator instanceof Promise ? `: ${symbol} must not be async` : "";
    throw new TypeError(`next of an iterator must be a function, got ${inWords(next)}${promised}`);
  }
  const native = NATIVE.has(next);
  const asked = native ? iterator : { next: () => next.call(iterator) };
  return { iterator, asked: asked as OpenIterator["asked"], native, async };
}

/**
 * `next` of the iterators that nobody made by hand. It is called as a method of theirs: engines inline that, and
 * an array is read a quarter faster.
 */
const NATIVE: ReadonlySet<unknown> = new Set([
  [][Symbol.iterator]().next,
  ""[Symbol.iterator]().next,
  new Map()[Symbol.iterator]().next,
  new Set()[Symbol.iterator]().next,
  (function* () {})().next,
  (async function* () {})().next,
]);

/**
 * Closes an iterator that has not come to its end. `reason` is what `return()` gets, where there is one.
 *
 * @throws {TypeError} If `return` exists and is not a function, or its answer is not an object.
 */
export function closeIterator(
  { iterator, async }: OpenIterator,
  reason?: unknown,
): void | Promise<void> {
  const method = iterator.return;
  if (method === undefined || method === null) return;
  if (typeof method !== "function") {
    throw new TypeError(`return of an iterator must be a function, got ${inWords(method)}`);
  }
  const answer: unknown = reason === undefined
    ? method.call(iterator)
    : method.call(iterator, reason);
  if (async) return whenSettled(answer, (result) => assertObject(result, "return()"));
  assertObject(answer, "return()");
  const { value } = answer as { value?: unknown };
  if (isThenable(value)) return whenSettled(value, () => {});
}

/** Closes an iterator after an error that is told already: whatever comes of it does not count. */
export function giveUpIterator(opened: OpenIterator): void {
  try {
    closeIterator(opened)?.catch(() => {});
  } catch {
    // the first error is the one that is told
  }
}

/** Throws unless `answer` is an object, as the answers of iterators must be. */
export function assertObject(answer: unknown, method: string): asserts answer is object {
  if (typeof answer === "object" ? answer !== null : typeof answer === "function") return;
  throw new TypeError(`${method} must return an object, got ${inWords(answer)}`);
}

/** Returns whether `await` waits for `value`: it is a promise, or has a method `then`. */
export function isThenable(value: unknown): boolean {
  if (typeof value === "object" ? value === null : typeof value !== "function") return false;
  try {
    return typeof (value as { then?: unknown }).then === "function";
  } catch {
    return true; // awaiting it throws the same again, where it is dealt with
  }
}

const { then } = Promise.prototype;

/** Waits for `value` as `await` does: a promise that has a `then` of its own is not asked for it. */
export function whenSettled<R>(
  value: unknown,
  fulfilled: (value: unknown) => R,
  rejected?: (error: unknown) => R,
): Promise<R> {
  let promise: Promise<unknown>;
  try {
    promise = Promise.resolve(value);
  } catch (error) {
    promise = Promise.reject(error); // a promise whose constructor cannot be read
  }
  return then.call(promise, fulfilled, rejected) as Promise<R>;
}

/** The method that gives the iterator: the asynchronous one, where there is one. */
function methodOf(value: unknown): { method: unknown; async: boolean } | undefined {
  if (value === undefined || value === null) return undefined;
  const source = value as Partial<AsyncIterable<unknown> & Iterable<unknown>>;
  const method = source[Symbol.asyncIterator];
  if (method !== undefined && method !== null) return { method, async: true };
  return { method: source[Symbol.iterator], async: false };
}

function inWords(value: unknown): string {
  return value instanceof Promise
    ? "a promise"
    : typeof value === "object" && value !== null
    ? "an object"
    : String(value);
}
