import { describe } from "../../redact.ts";
import type { Concurrency } from "./options.ts";

/** Returns what a message must not be handled beside; undefined where it need not wait for any other. */
export type KeyOf = (message: unknown, partition: number) => unknown;

/** Makes the function that returns the key of a message, as something that a `Map` tells apart. */
export function keysOf(by: Concurrency["by"]): KeyOf {
  if (by === "none") return () => undefined;
  const partitions = new Map<number, object>();
  const ofPartition = (partition: number) =>
    partitions.getOrInsertComputed(partition, () => ({ partition }));
  if (by === "partition") return (_message, partition) => ofPartition(partition);
  const key = typeof by === "function"
    ? by
    : (message: unknown) => (message as { key?: unknown } | null | undefined)?.key;
  return (message, partition) => {
    const value = key(message);
    return value === undefined || value === null ? ofPartition(partition) : comparable(value);
  };
}

/**
 * Returns a key of which equal ones are the same to a `Map`.
 *
 * @throws {TypeError} If nobody can tell which keys are equal.
 */
function comparable(key: unknown): unknown {
  if (typeof key === "string" || typeof key === "number") return key;
  if (typeof key === "bigint" || typeof key === "boolean") return key;
  if (key instanceof Uint8Array) return "bytes " + Array.prototype.join.call(key, " ");
  const prototype = typeof key === "object" ? Object.getPrototypeOf(key) : undefined;
  if (prototype === Object.prototype || prototype === Array.prototype || prototype === null) {
    return "data " + JSON.stringify(key, sorted);
  }
  if (key instanceof Date) return "date " + key.getTime();
  throw new TypeError(
    `Cannot order messages by ${
      describe(key)
    }: a key must be a string, a number, a bigint, a boolean, bytes, ` +
      "a Date or plain data",
  );
}

/** Has JSON write the fields of objects in one order. */
function sorted(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => a < b ? -1 : 1));
}
