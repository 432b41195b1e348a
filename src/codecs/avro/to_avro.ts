import { type Type, types } from "avsc";
import { defaultsOf } from "./defaults.ts";
import { scalarOf, type ToAvro, toText } from "./scalar.ts";
import type { LoadedSchema } from "./schema.ts";
import { type Branch, kindOf, unionOf } from "./union.ts";
import type { Walk } from "./walk.ts";

/**
 * Makes the conversion to `schema`.
 *
 * avsc trusts the values it writes: it takes any object for a record whose fields have defaults, `"constructor"`
 * for a symbol of every enum, and never says in which field an error is. So every value is checked here.
 */
export function toAvroOf({ type, logicalTypes }: LoadedSchema): ToAvro {
  const known = new Map<Type, ToAvro>();
  const of = (type: Type): ToAvro => {
    const made = known.get(type);
    if (made !== undefined) return made;
    // A recursive type meets itself while it is being made.
    known.set(type, (value, walk) => convert(value, walk));
    const convert = make(type);
    known.set(type, convert);
    return convert;
  };
  const make = (type: Type): ToAvro => {
    const logical = logicalTypes.get(type);
    if (logical !== undefined) return logical.encode;
    if (type instanceof types.RecordType) return toRecord(type, of);
    if (type instanceof types.ArrayType) return toArray(of(type.itemsType));
    if (type instanceof types.MapType) return toMap(of(type.valuesType));
    if (type instanceof types.WrappedUnionType) {
      const { branches, bare } = unionOf(type, logicalTypes);
      return bare ? toBareUnion(branches, of) : toWrappedUnion(branches, of);
    }
    return scalarOf(type);
  };
  return of(type);
}

function toArray(item: ToAvro): ToAvro {
  return (value: unknown, walk: Walk) => {
    if (!Array.isArray(value)) walk.refuse("array", value);
    walk.count(value.length);
    const items = new Array<unknown>(value.length);
    for (let i = 0; i < value.length; i++) {
      walk.enter(i);
      items[i] = item(value[i], walk);
      walk.leave();
    }
    return items;
  };
}

function toMap(entry: ToAvro): ToAvro {
  return (value: unknown, walk: Walk) => {
    if (kindOf(value) !== "object") walk.refuse("map", value);
    const entries = Object.entries(value as object);
    walk.count(entries.length);
    const map: Record<string, unknown> = {};
    for (const [key, inner] of entries) {
      walk.enter(key);
      if (key === "__proto__") walk.fail('a map cannot have the key "__proto__"');
      toText(key, walk);
      map[key] = entry(inner, walk);
      walk.leave();
    }
    return map;
  };
}

function toRecord(type: types.RecordType, of: (type: Type) => ToAvro): ToAvro {
  const defaults = defaultsOf(type);
  const fields = type.fields.map((field) => ({
    name: field.name,
    convert: of(field.type),
    makeDefault: defaults.get(field.name) ?? (() => undefined),
    // What every object inherits under this name is not a value of the field.
    inherited: field.name in Object.prototype,
  }));
  return (value: unknown, walk: Walk) => {
    if (kindOf(value) !== "object") walk.refuse(`record ${type.name ?? ""}`.trimEnd(), value);
    const given = value as Record<string, unknown>;
    walk.count(fields.length);
    const record: Record<string, unknown> = {};
    for (const { name, convert, makeDefault, inherited } of fields) {
      walk.enter(name);
      const field = inherited && !Object.hasOwn(given, name) ? undefined : given[name];
      const initial = field === undefined ? makeDefault() : undefined;
      record[name] = initial === undefined ? convert(field, walk) : initial;
      walk.leave();
    }
    return record;
  };
}

/** The branch is the one that the value looks like. */
function toBareUnion(branches: readonly Branch[], of: (type: Type) => ToAvro): ToAvro {
  const byKind = new Map(branches.map(({ kind, name, type }) => [kind, { name, to: of(type) }]));
  const wanted = branches.map(({ name }) => name).join(" or ");
  return (value: unknown, walk: Walk) => {
    const branch = byKind.get(kindOf(value)!);
    if (branch === undefined) walk.refuse(wanted, value);
    const inner = branch.to(value, walk);
    return inner === null ? null : { [branch.name]: inner };
  };
}

/** The branch is named by the one key of the value. */
function toWrappedUnion(branches: readonly Branch[], of: (type: Type) => ToAvro): ToAvro {
  const byName = new Map(branches.map(({ name, type }) => [name, of(type)]));
  const nullable = byName.delete("null");
  const names = [...byName.keys()].map((name) => `{ ${JSON.stringify(name)}: … }`);
  const wanted = (nullable ? ["null", ...names] : names).join(" or ");
  return (value: unknown, walk: Walk) => {
    if (value === null && nullable) return null;
    const keys = kindOf(value) === "object" ? Object.keys(value as object) : [];
    const to = keys.length === 1 ? byName.get(keys[0]!) : undefined;
    if (to === undefined) walk.refuse(wanted, value);
    const name = keys[0]!;
    return { [name]: to((value as Record<string, unknown>)[name], walk) };
  };
}
