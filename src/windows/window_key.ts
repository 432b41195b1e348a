import { encodeKey, type Key, type KeyPart } from "../cache/keys.ts";
import { describe } from "../redact.ts";

/** A key as a `Map` takes it: equal keys are one. */
export type MapKey = string | number | bigint | boolean;

/** What the map keys of keys begin with that are no scalars. */
const ENCODED = "\0\0";

/**
 * Returns a key as a `Map` takes it.
 *
 * @throws {TypeError} If it is no key.
 * @throws {RangeError} If it is too long.
 */
export function toMapKey(key: unknown): MapKey {
  switch (typeof key) {
    case "string":
      return key.startsWith(ENCODED) ? ENCODED + encodeKey(key) : key;
    case "number":
    case "bigint":
    case "boolean":
      return key;
    case "object":
      if (key === null) break;
      if (Array.isArray(key) && key.length === 1) return toMapKey(key[0]);
      return ENCODED + encodeKey(key as Key);
  }
  throw new TypeError(
    `Cannot window by ${
      describe(key)
    } as a key must be a string, number, bigint, boolean or Uint8Array, or an ` +
      "array of these",
  );
}

/** The parts of a key. */
export function partsOf(key: unknown): readonly KeyPart[] {
  return Array.isArray(key) ? key as KeyPart[] : [key as KeyPart];
}

/** The scope of windows whose partitions are merged. */
export const ALL = -1;

/** The name of a window: its scope in words, its key, and its place among those of the key. */
export function windowId(scope: string, key: unknown, place: number | string): string {
  const parts = partsOf(key).map(textOf).join(",");
  return `${scope}/${parts}/${place}`;
}

/** A string as in a URL; other parts begin with what cannot stand there. */
function textOf(part: KeyPart): string {
  if (typeof part === "string") return encodeURIComponent(part);
  if (typeof part === "bigint") return `=${part}n`;
  if (part instanceof Uint8Array) return `=${part.toHex()}x`;
  return `=${part}`;
}
