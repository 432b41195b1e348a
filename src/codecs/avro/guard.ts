import { type Type, types } from "avsc";
import type { ByteReader } from "./byte_reader.ts";

/** Goes through the bytes of one value and throws where they are not a value of its type, or exceed a bound. */
export type Guard = (reader: ByteReader) => void;

/**
 * Makes the guard of `type`.
 *
 * avsc trusts the bytes it reads: a few of them can make it build 50 million items, run in a circle, replace
 * broken text silently or set a prototype. So the guard goes through them first, by the schema they were written
 * with, and avsc only sees what passed.
 */
export function guardOf(type: Type, known: Map<Type, Guard> = new Map()): Guard {
  const made = known.get(type);
  if (made !== undefined) return made;
  // A recursive type meets itself while it is being made.
  known.set(type, (reader) => guard(reader));
  const guard = makeGuard(type, (inner) => guardOf(inner, known));
  known.set(type, guard);
  return guard;
}

function makeGuard(type: Type, of: (type: Type) => Guard): Guard {
  if (type instanceof types.RecordType) return recordGuard(type, of);
  if (type instanceof types.ArrayType) return arrayGuard(of(type.itemsType));
  if (type instanceof types.MapType) return mapGuard(of(type.valuesType));
  if (type instanceof types.WrappedUnionType) return unionGuard(type.types.map(of));
  if (type instanceof types.EnumType) {
    const { length } = type.symbols;
    return (reader) => void reader.index(length, "symbol");
  }
  if (type instanceof types.FixedType) return (reader) => reader.skip(type.size);
  return primitiveGuard(type);
}

function primitiveGuard(type: Type): Guard {
  if (type instanceof types.NullType) return () => {};
  if (type instanceof types.BooleanType) return (reader) => reader.boolean();
  if (type instanceof types.IntType) return (reader) => reader.int();
  if (type instanceof types.LongType) return (reader) => void reader.long();
  if (type instanceof types.FloatType) return (reader) => reader.skip(4);
  if (type instanceof types.DoubleType) return (reader) => reader.skip(8);
  if (type instanceof types.BytesType) return (reader) => reader.skip(reader.length());
  return (reader) => void reader.text();
}

function recordGuard(type: types.RecordType, of: (type: Type) => Guard): Guard {
  const fields = type.fields.map((field) => ({ name: field.name, guard: of(field.type) }));
  return (reader) => {
    reader.walk.count(fields.length);
    for (const { name, guard } of fields) {
      reader.walk.enter(name);
      guard(reader);
      reader.walk.leave();
    }
  };
}

function arrayGuard(item: Guard): Guard {
  return (reader) => {
    let index = 0;
    blocks(reader, () => {
      reader.walk.enter(index++);
      item(reader);
      reader.walk.leave();
    });
  };
}

function mapGuard(value: Guard): Guard {
  return (reader) =>
    blocks(reader, () => {
      const key = reader.key();
      reader.walk.enter(key);
      // avsc would set the prototype of the map instead of an entry.
      if (key === "__proto__") reader.walk.fail('a map cannot have the key "__proto__"');
      value(reader);
      reader.walk.leave();
    });
}

function unionGuard(branches: readonly Guard[]): Guard {
  return (reader) => branches[reader.index(branches.length, "union branch")]!(reader);
}

/** Reads the blocks of an array or a map: each begins with its count, or with the negative count and its size. */
function blocks(reader: ByteReader, item: () => void): void {
  for (let count = reader.long(); count !== 0; count = reader.long()) {
    const size = count < 0 ? reader.length() : undefined;
    const start = reader.position;
    count = Math.abs(count);
    reader.walk.count(count);
    for (let i = 0; i < count; i++) item();
    const read = reader.position - start;
    // avsc goes by the items when it reads and by the size when it skips: they must agree.
    if (size !== undefined && size !== read) {
      reader.walk.fail(`a block says it has ${size} bytes and has ${read}`, RangeError);
    }
  }
}
