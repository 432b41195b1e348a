import { type Type, types } from "avsc";
import { defaultsOf } from "./defaults.ts";
import type { LoadedSchema } from "./schema.ts";
import { type Branch, unionOf } from "./union.ts";
import type { Walk } from "./walk.ts";

/** Makes a program's value of what avsc decoded; `undefined` instead of a function where they are the same. */
export type FromAvro = ((value: unknown, walk: Walk) => unknown) | undefined;

type Of = (type: Type) => FromAvro;

/**
 * Makes the conversion from `schema`: records become plain objects, which a Cache can store, bytes become
 * `Uint8Array`s of their own, unions lose their wrapping where they can, dates and timestamps become objects.
 */
export function fromAvroOf({ type, logicalTypes }: LoadedSchema): FromAvro {
  const known = new Map<Type, FromAvro>();
  const of: Of = (type) => {
    if (known.has(type)) return known.get(type);
    // A recursive type meets itself while it is being made.
    known.set(type, (value, walk) => convert!(value, walk));
    const convert = make(type);
    known.set(type, convert);
    return convert;
  };
  const make: Of = (type) => {
    const logical = logicalTypes.get(type);
    if (logical !== undefined) {
      return (value, walk) => logical.decode(value as number | bigint, walk);
    }
    if (type instanceof types.RecordType) return fromRecord(type, of);
    if (type instanceof types.ArrayType) return fromArray(of(type.itemsType));
    if (type instanceof types.MapType) return fromMap(of(type.valuesType));
    if (type instanceof types.WrappedUnionType) {
      const { branches, bare } = unionOf(type, logicalTypes);
      return fromUnion(branches, bare, of);
    }
    return type instanceof types.BytesType || type instanceof types.FixedType
      ? fromBytes
      : undefined;
  };
  return of(type);
}

/** avsc's buffers are parts of a larger one, which they would keep alive, and which a copy of them would copy. */
function fromBytes(value: unknown): Uint8Array {
  return new Uint8Array(value as Uint8Array);
}

function fromArray(item: FromAvro): FromAvro {
  if (item === undefined) return undefined;
  return (value, walk) =>
    (value as unknown[]).map((inner, index) => {
      walk.enter(index);
      const converted = item(inner, walk);
      walk.leave();
      return converted;
    });
}

function fromMap(entry: FromAvro): FromAvro {
  if (entry === undefined) return undefined;
  return (value, walk) => {
    const map = value as Record<string, unknown>;
    for (const key of Object.keys(map)) {
      walk.enter(key);
      map[key] = entry(map[key], walk);
      walk.leave();
    }
    return map;
  };
}

function fromRecord(type: types.RecordType, of: Of): FromAvro {
  const defaults = defaultsOf(type);
  const fields = type.fields.map(({ name, type }) => ({
    name,
    convert: of(type),
    makeDefault: defaults.get(name) ?? (() => undefined),
  }));
  return (value, walk) => {
    const given = value as Record<string, unknown>;
    const record: Record<string, unknown> = {};
    for (const { name, convert, makeDefault } of fields) {
      let field = given[name];
      if (field === undefined) field = makeDefault(); // the writer has no such field
      if (convert === undefined) {
        record[name] = field;
        continue;
      }
      walk.enter(name);
      record[name] = convert(field, walk);
      walk.leave();
    }
    return record;
  };
}

function fromUnion(branches: readonly Branch[], bare: boolean, of: Of): FromAvro {
  const byName = new Map(branches.map(({ name, type }) => [name, of(type)]));
  return (value, walk) => {
    if (value === null) return null;
    const wrapped = value as Record<string, unknown>;
    const name = Object.keys(wrapped)[0]!;
    const convert = byName.get(name);
    const inner = convert === undefined ? wrapped[name] : convert(wrapped[name], walk);
    return bare ? inner : { [name]: inner };
  };
}
