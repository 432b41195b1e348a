import { Buffer } from "node:buffer";
import { type Type, types } from "avsc";
import { isLong } from "./long_type.ts";
import type { Walk } from "./walk.ts";

/** Makes what avsc encodes of a program's value, or throws where the value is not of its type. */
export type ToAvro = (value: unknown, walk: Walk) => unknown;

/** Makes the conversion to a type that holds no other types. */
export function scalarOf(type: Type): ToAvro {
  if (type instanceof types.EnumType) return toSymbol(type);
  if (type instanceof types.FixedType) return toFixed(type);
  if (type instanceof types.BytesType) return toBytes;
  if (type instanceof types.StringType) return toText;
  if (type instanceof types.FloatType) return toFloat;
  const name = type.branchName!;
  const fits = checkOf(type);
  return (value, walk) => fits(value) ? value : walk.refuse(name, value);
}

function checkOf(type: Type): (value: unknown) => boolean {
  if (type instanceof types.NullType) return (value) => value === null;
  if (type instanceof types.BooleanType) return (value) => typeof value === "boolean";
  if (type instanceof types.IntType) return isInt;
  if (type instanceof types.LongType) return isLong;
  return (value) => typeof value === "number";
}

function isInt(value: unknown): boolean {
  return typeof value === "number" && (value | 0) === value;
}

function toFloat(value: unknown, walk: Walk): number {
  if (typeof value !== "number") walk.refuse("float", value);
  if (Number.isFinite(value) && !Number.isFinite(Math.fround(value))) {
    walk.refuse("float, which cannot hold it", value, RangeError);
  }
  return value;
}

/** Takes text that UTF-8 can hold. */
export function toText(value: unknown, walk: Walk): string {
  if (typeof value !== "string") walk.refuse("string", value);
  if (!value.isWellFormed()) walk.fail("the text contains half of a surrogate pair");
  return value;
}

function toBytes(value: unknown, walk: Walk): Buffer {
  if (!(value instanceof Uint8Array)) walk.refuse("bytes", value);
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

function toFixed({ name, size }: types.FixedType): ToAvro {
  return (value: unknown, walk: Walk) => {
    const bytes = toBytes(value, walk);
    if (bytes.length !== size) walk.refuse(`${name} of ${size} bytes`, value, RangeError);
    return bytes;
  };
}

function toSymbol({ name, symbols }: types.EnumType): ToAvro {
  const known = new Set<unknown>(symbols);
  return (value, walk) => known.has(value) ? value : walk.refuse(`a symbol of ${name}`, value);
}
