import { isDeepStrictEqual } from "node:util";

/** Prototypes of objects that come back from the disk as they were. */
const PRIMITIVE_LIKE: ReadonlySet<unknown> = new Set([
  Date.prototype,
  Boolean.prototype,
  Number.prototype,
  BigInt.prototype,
  ArrayBuffer.prototype,
]);
const TYPED_ARRAYS: ReadonlySet<unknown> = new Set([
  Uint8Array,
  Uint8ClampedArray,
  Int8Array,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  BigUint64Array,
  BigInt64Array,
  Float32Array,
  Float64Array,
].map((view) => view.prototype));
const ERRORS: ReadonlySet<unknown> = new Set(
  [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((error) =>
    error.prototype
  ),
);
const KEPT_OF_ERRORS: ReadonlySet<unknown> = new Set(["message", "stack", "cause"]);

/** Deeper values overflow the stack of those who serialize them: at some 3,000 levels. */
const MAX_DEPTH = 1_000;
/** Characters of a path that an error shows. */
const MAX_PATH = 200;

/** A value that is to be looked at. */
type Pending = [path: string, value: unknown, depth: number];

/**
 * Throws unless a value comes back from Deno KV equal to what was given: plain objects, arrays, primitives,
 * Map, Set, Date, RegExp, ArrayBuffer and its views, boxed primitives and the built-in errors, in any
 * nesting and with cycles.
 *
 * @throws {TypeError} With the path of the first thing that would be lost or changed: functions, symbols,
 * class instances (they lose their class), named properties of what is not a plain object or array, the
 * `lastIndex` of a RegExp, Blob, File, URL, SharedArrayBuffer, ….
 * @throws {RangeError} If it is nested too deeply.
 */
export function assertCloneable(value: unknown): void {
  const seen = new Set<object>();
  const pending: Pending[] = [["value", value, 0]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [path, item, depth] = next;
    if (typeof item === "function" || typeof item === "symbol") throw refused(path, item);
    if (typeof item !== "object" || item === null || seen.has(item)) continue;
    if (depth > MAX_DEPTH) {
      throw new RangeError(
        `Cannot store ${shown(path)}: it is nested deeper than ${MAX_DEPTH} levels`,
      );
    }
    seen.add(item);
    // In the order of who serializes it, so that each object is met at the depth at which it is serialized.
    const content: Pending[] = [];
    addContent(path, item, (path, value) => void content.push([path, value, depth + 1]));
    for (let child = content.pop(); child !== undefined; child = content.pop()) pending.push(child);
  }
}

/** Hands what an object holds to `add`. */
function addContent(path: string, item: object, add: (path: string, value: unknown) => void): void {
  const prototype = Object.getPrototypeOf(item);
  if (prototype === Map.prototype) {
    let index = 0;
    for (const [key, value] of item as Map<unknown, unknown>) {
      add(`${path} (key ${index} of the Map)`, key);
      add(`${path} (value ${index++} of the Map)`, value);
    }
    refuseProperties(path, item);
  } else if (prototype === Set.prototype) {
    let index = 0;
    for (const value of item as Set<unknown>) add(`${path} (item ${index++} of the Set)`, value);
    refuseProperties(path, item);
  } else if (prototype === DataView.prototype) {
    add(`${path}.buffer`, (item as DataView).buffer);
    refuseProperties(path, item);
  } else if (TYPED_ARRAYS.has(prototype)) {
    add(`${path}.buffer`, (item as Uint8Array).buffer);
    if (hasNames(item as Uint8Array)) throw refused(path, item, "a named property");
  } else if (ERRORS.has(prototype)) {
    const lost = Object.getOwnPropertyNames(item).find((name) => !KEPT_OF_ERRORS.has(name));
    if (lost !== undefined) throw refused(path, item, `the property ${JSON.stringify(lost)}`);
    add(`${path}.cause`, (item as Error).cause);
  } else if (prototype === String.prototype) {
    refuseProperties(path, item, String(item).length);
  } else if (prototype === RegExp.prototype) {
    if ((item as RegExp).lastIndex !== 0) throw refused(path, item, "the lastIndex");
    refuseProperties(path, item);
  } else if (PRIMITIVE_LIKE.has(prototype)) {
    refuseProperties(path, item);
  } else if (
    prototype === Object.prototype || prototype === null || prototype === Array.prototype
  ) {
    for (const name of Object.keys(item)) {
      add(`${path}[${JSON.stringify(name)}]`, (item as Record<string, unknown>)[name]);
    }
  } else throw refused(path, item);
  if (Object.getOwnPropertySymbols(item).length > 0) {
    throw refused(path, item, "a symbol as a name");
  }
}

/** Returns whether a typed array has properties beside its items, without a name for each of these. */
export function hasNames(item: Uint8Array, copy: Uint8Array = item.slice()): boolean {
  return !isDeepStrictEqual(item, copy);
}

/** Named properties of a Map, a Date and the like are not stored; `own` come first that are. */
function refuseProperties(path: string, item: object, own = 0): void {
  const lost = Object.keys(item)[own];
  if (lost !== undefined) throw refused(path, item, `the property ${JSON.stringify(lost)}`);
}

function refused(path: string, item: unknown, detail?: string): TypeError {
  const kind = typeof item === "object" ? item!.constructor?.name || "object" : typeof item;
  const named = `${/^[aeio]/i.test(kind) ? "an" : "a"} ${kind}`;
  const what = detail === undefined ? named : `${detail} of ${named}`;
  return new TypeError(
    `Cannot store ${shown(path)}: ${what} would be lost or changed; ` +
      "store plain data (objects, arrays, Map, Set, Date, typed arrays) from which it can be rebuilt",
  );
}

function shown(path: string): string {
  return path.length > MAX_PATH ? `${path.slice(0, MAX_PATH)}...` : path;
}
