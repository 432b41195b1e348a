import { type Type, types } from "avsc";
import type { LogicalType } from "./logical_type.ts";

/** What can be told apart by looking at a value. */
export type Kind = "null" | "boolean" | "number" | "string" | "bytes" | "time" | "array" | "object";

/** One of the types of a union. */
export interface Branch {
  /** The name that avsc, and Avro's own JSON, know it by. */
  readonly name: string;
  /** What its values look like. */
  readonly kind: Kind;
  /** The type. */
  readonly type: Type;
}

/** The branches of a union, and how its values are written in a program. */
export interface Union {
  /** The branches, in the order of the schema. */
  readonly branches: readonly Branch[];
  /**
   * Whether a value stands for itself, as no two branches look alike. Otherwise each but `null` is wrapped as in
   * Avro's JSON: `{ "name of the branch": value }`.
   */
  readonly bare: boolean;
}

/** Describes a union. */
export function unionOf(
  union: types.WrappedUnionType,
  logicalTypes: ReadonlyMap<Type, LogicalType>,
): Union {
  const branches = union.types.map((type): Branch => ({
    name: type.branchName!,
    kind: kindOfType(type, logicalTypes),
    type,
  }));
  return { branches, bare: new Set(branches.map(({ kind }) => kind)).size === branches.length };
}

/** What a value looks like; `undefined` for one that no Avro type takes. */
export function kindOf(value: unknown): Kind | undefined {
  if (value === null) return "null";
  if (typeof value === "bigint") return "number";
  if (typeof value === "boolean" || typeof value === "number" || typeof value === "string") {
    return typeof value as "boolean" | "number" | "string";
  }
  if (typeof value !== "object") return undefined;
  if (Array.isArray(value)) return "array";
  if (value instanceof Uint8Array) return "bytes";
  if (value instanceof Date || value instanceof Temporal.Instant) return "time";
  return "object";
}

function kindOfType(type: Type, logicalTypes: ReadonlyMap<Type, LogicalType>): Kind {
  if (logicalTypes.has(type)) return "time";
  if (type instanceof types.NullType) return "null";
  if (type instanceof types.BooleanType) return "boolean";
  if (type instanceof types.StringType || type instanceof types.EnumType) return "string";
  if (type instanceof types.BytesType || type instanceof types.FixedType) return "bytes";
  if (type instanceof types.ArrayType) return "array";
  if (type instanceof types.RecordType || type instanceof types.MapType) return "object";
  return "number";
}
