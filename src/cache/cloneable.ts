/** Prototypes of objects that come back from the disk as they were. */
const PRIMITIVE_LIKE: ReadonlySet<unknown> = new Set([
  Date.prototype,
  RegExp.prototype,
  Boolean.prototype,
  Number.prototype,
  String.prototype,
  BigInt.prototype,
  ArrayBuffer.prototype,
]);
const VIEWS: ReadonlySet<unknown> = new Set([
  DataView,
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

/**
 * Throws unless a value comes back from Deno KV equal to what was given: plain objects, arrays, primitives,
 * Map, Set, Date, RegExp, ArrayBuffer and its views, boxed primitives and the built-in errors, in any
 * nesting and with cycles. Returns how many bytes the buffers behind its views have.
 *
 * @throws {TypeError} With the path of the first thing that would be lost or changed: functions, symbols,
 * class instances (they lose their class), Blob, File, URL, SharedArrayBuffer, ….
 */
export function assertCloneable(value: unknown): number {
  const seen = new Set<object>();
  const pending: [path: string, value: unknown][] = [["value", value]];
  const add = (path: string, value: unknown) => void pending.push([path, value]);
  let buffers = 0;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [path, item] = next;
    if (typeof item === "function" || typeof item === "symbol") throw refused(path, item);
    if (typeof item !== "object" || item === null || seen.has(item)) continue;
    seen.add(item);
    if (item instanceof ArrayBuffer) buffers += item.byteLength;
    addContent(path, item, add);
  }
  return buffers;
}

/** Hands what an object holds to `add`. */
function addContent(path: string, item: object, add: (path: string, value: unknown) => void): void {
  const prototype = Object.getPrototypeOf(item);
  if (Object.getOwnPropertySymbols(item).length > 0) {
    throw refused(path, item, "a symbol as a name");
  }
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
  } else if (VIEWS.has(prototype)) {
    add(`${path}.buffer`, (item as ArrayBufferView).buffer);
  } else if (ERRORS.has(prototype)) {
    const lost = Object.getOwnPropertyNames(item).find((name) => !KEPT_OF_ERRORS.has(name));
    if (lost !== undefined) throw refused(path, item, `the property ${JSON.stringify(lost)}`);
    add(`${path}.cause`, (item as Error).cause);
  } else if (prototype === String.prototype) {
    return;
  } else if (PRIMITIVE_LIKE.has(prototype)) {
    refuseProperties(path, item);
  } else if (
    prototype === Object.prototype || prototype === null || prototype === Array.prototype
  ) {
    for (const name of Object.keys(item)) {
      add(`${path}[${JSON.stringify(name)}]`, (item as Record<string, unknown>)[name]);
    }
  } else throw refused(path, item);
}

/** Named properties of a Map, a Date and the like are not stored. */
function refuseProperties(path: string, item: object): void {
  const [lost] = Object.keys(item);
  if (lost !== undefined) throw refused(path, item, `the property ${JSON.stringify(lost)}`);
}

function refused(path: string, item: unknown, detail?: string): TypeError {
  const kind = typeof item === "object" ? item!.constructor?.name ?? "object" : typeof item;
  const what = detail === undefined ? `a ${kind}` : `${detail} of a ${kind}`;
  return new TypeError(
    `Cannot store ${path}: ${what} would be lost or changed; ` +
      "store plain data (objects, arrays, Map, Set, Date, typed arrays) that it can be made from again",
  );
}
