import { Buffer } from "node:buffer";
import { type Type, types } from "avsc";
import { isLong } from "./long_type.ts";

/** What makes the default of a field, anew each time, in avsc's terms. */
export type MakeDefault = () => unknown;

/** How deep a default may be nested: one that is made of itself has no end. */
const DEEPEST = 1_000;

/** The defaults of records, as their schema has them. */
const written = new WeakMap<Type, ReadonlyMap<string, unknown>>();

const { _update } = types.RecordType.prototype as unknown as {
  _update(this: unknown, resolver: unknown, writer: Type, options: unknown): void;
};

/**
 * A record whose defaults avsc does not see: it takes those of a union for its first type's, truncates the
 * characters of bytes, and fills in what is missing of a record without looking at what is there.
 */
export class RecordType extends types.RecordType {
  /** Makes the record of `schema`; see `Type.forSchema`. */
  constructor(schema: { readonly fields: readonly unknown[] }, options: unknown) {
    const fields = schema.fields.map((field) => {
      const { default: _, ...rest } = field as { default?: unknown };
      return rest;
    });
    super({ ...schema, fields } as ConstructorParameters<typeof types.RecordType>[0], options);
    const defaults = schema.fields as readonly { name: string; default?: unknown }[];
    written.set(
      this,
      new Map(
        defaults.filter((field) => field.default !== undefined).map((f) => [f.name, f.default]),
      ),
    );
  }

  /** Prepares `resolver` for reading what `writer` wrote: a field with a default may be missing there. */
  _update(resolver: unknown, writer: Type, options: unknown): void {
    const given = { value: () => null };
    const fields = this.fields.map((field) =>
      written.get(this)!.has(field.name) ? Object.create(field, { defaultValue: given }) : field
    );
    _update.call(Object.create(this, { fields: { value: fields } }), resolver, writer, options);
  }
}

/** Returns what makes the defaults of a record, by field; they have been checked. */
export function defaultsOf(record: types.RecordType): ReadonlyMap<string, MakeDefault> {
  const defaults = new Map<string, MakeDefault>();
  for (const [name, json] of written.get(record) ?? []) {
    const { type } = record.field(name);
    const value = read(type, json, 0);
    const changes = typeof value === "object" && value !== null;
    defaults.set(name, changes ? () => read(type, json, 0) : () => value);
  }
  return defaults;
}

/** Throws where a default of `record` is not of its field's type. */
export function checkDefaults(record: types.RecordType): void {
  for (const [name, json] of written.get(record) ?? []) {
    try {
      read(record.field(name).type, json, 0);
    } catch (cause) {
      const reason = (cause as Error).message;
      throw new TypeError(`the default of field "${name}" of "${record.name}" ${reason}`, {
        cause,
      });
    }
  }
}

/** Parses JSON without rounding: whole numbers past 2^53 become bigints. */
export function parseExactly(text: string): unknown {
  const exact = (_key: string, value: unknown, context?: { readonly source?: string }) =>
    typeof value === "number" && !Number.isSafeInteger(value) &&
      /^-?\d+$/.test(context?.source ?? "")
      ? BigInt(context!.source!)
      : value;
  return JSON.parse(text, exact);
}

/** Makes a value of `type` from a default in JSON, as avsc would decode it. */
function read(type: Type, json: unknown, depth: number): unknown {
  if (depth > DEEPEST) throw new RangeError("never ends: it is made of itself");
  const inner = (type: Type, json: unknown) => read(type, json, depth + 1);
  if (type instanceof types.WrappedUnionType) return readUnion(type, json, inner);
  if (type instanceof types.ArrayType) {
    if (!Array.isArray(json)) refuse("an array", json);
    return json.map((item) => inner(type.itemsType, item));
  }
  if (type instanceof types.MapType) {
    const entries = Object.entries(objectOf("a map", json));
    if (entries.some(([key]) => key === "__proto__")) {
      refuse('a map without the key "__proto__"', json);
    }
    return Object.fromEntries(entries.map(([key, value]) => [key, inner(type.valuesType, value)]));
  }
  if (type instanceof types.RecordType) {
    const given = objectOf(`a record "${type.name}"`, json);
    const defaults = written.get(type);
    return Object.fromEntries(type.fields.map(({ name, type }) => {
      const value = Object.hasOwn(given, name) ? given[name] : defaults?.get(name);
      if (value === undefined) refuse(`a record with the field "${name}"`, json);
      return [name, inner(type, value)];
    }));
  }
  const { wanted, value } = scalar(type, json);
  if (value === undefined) refuse(wanted, json);
  return type.fromBuffer(type.toBuffer(value)); // longs as the codec gives them, bytes that nobody shares
}

/** The first type of a union that takes the default. */
function readUnion(
  union: types.WrappedUnionType,
  json: unknown,
  read: (type: Type, json: unknown) => unknown,
): unknown {
  for (const type of union.types) {
    let value: unknown;
    try {
      value = read(type, json);
    } catch (error) {
      if (error instanceof RangeError) throw error;
      continue;
    }
    return type instanceof types.NullType ? null : { [type.branchName!]: value };
  }
  return refuse(`one of ${union.types.map((type) => type.branchName).join(", ")}`, json);
}

/** A value of a type that holds no others; undefined where `json` is none. */
function scalar(type: Type, json: unknown): { wanted: string; value: unknown } {
  const text = typeof json === "string" ? json : undefined;
  const number = typeof json === "number" || typeof json === "bigint" ? Number(json) : NaN;
  const only = (wanted: string, fits: boolean, value: unknown = json) => ({
    wanted,
    value: fits ? value : undefined,
  });
  if (type instanceof types.NullType) return only("null", json === null);
  if (type instanceof types.BooleanType) return only("a boolean", typeof json === "boolean");
  if (type instanceof types.IntType) return only("an int", json === (number | 0));
  if (type instanceof types.LongType) {
    const hint = Number.isInteger(json)
      ? " (past 2^53 a bigint, or a number in a schema that is text)"
      : "";
    return only(`a long${hint}`, isLong(json));
  }
  if (type instanceof types.FloatType) {
    return only("a float", Number.isFinite(Math.fround(number)), number);
  }
  if (type instanceof types.DoubleType) return only("a double", Number.isFinite(number), number);
  if (type instanceof types.StringType) return only("text", text?.isWellFormed() === true);
  if (type instanceof types.EnumType) {
    return only(`a symbol of ${type.name}`, type.symbols.includes(text!));
  }
  const bytes = text !== undefined && /^[\0-\xff]*$/.test(text)
    ? Buffer.from(text, "latin1")
    : undefined;
  const chars = "as text of the characters \\u0000 to \\u00ff";
  if (!(type instanceof types.FixedType)) return only(`bytes ${chars}`, bytes !== undefined, bytes);
  return only(`${type.size} bytes ${chars}`, bytes?.length === type.size, bytes);
}

function objectOf(wanted: string, json: unknown): Record<string, unknown> {
  if (typeof json === "object" && json !== null && !Array.isArray(json)) {
    return json as Record<string, unknown>;
  }
  return refuse(wanted, json);
}

function refuse(wanted: string, json: unknown): never {
  const shown = Deno.inspect(json, { depth: 1, strAbbreviateSize: 40, iterableLimit: 3 });
  throw new TypeError(`must be ${wanted}: current value is ${shown}`);
}
