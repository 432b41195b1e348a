import { Type, types } from "avsc";
import { checkDefaults, parseExactly, RecordType } from "./defaults.ts";
import { LOGICAL_TYPES, type LogicalType } from "./logical_type.ts";
import { makeLongType } from "./long_type.ts";

/**
 * An Avro schema: the parsed JSON of it, or its text (JSON, or the name of a primitive type such as `"long"`).
 *
 * A schema is trusted code: avsc compiles it into functions. Take it from your program, not from a message.
 */
export type AvroSchema = string | readonly unknown[] | Readonly<Record<string, unknown>>;

/** A schema in avsc's terms, and what avsc does not keep of it. */
export interface LoadedSchema {
  /** The type of the whole. Unions are always wrapped, so no value is ambiguous to avsc. */
  readonly type: Type;
  /** The types within that are seen as something else. */
  readonly logicalTypes: ReadonlyMap<Type, LogicalType>;
}

/** Loads a schema; `what` names it in errors. */
export function loadSchema(
  schema: AvroSchema,
  longs: "auto" | "bigint",
  what: string,
): LoadedSchema {
  const logicalTypes = new Map<Type, LogicalType>();
  const long = makeLongType(longs);
  const records: RecordType[] = [];
  const typeHook = (inner: unknown, options: unknown): Type | undefined => {
    if (inner === "long") return long;
    if (typeof inner !== "object" || inner === null || !("type" in inner)) return undefined;
    if (isRecord(inner)) {
      refuseProto(inner);
      const record = new RecordType(inner, options);
      records.push(record);
      return record;
    }
    const logical = LOGICAL_TYPES.get(
      `${inner.type} ${"logicalType" in inner && inner.logicalType}`,
    );
    if (logical === undefined) return inner.type === "long" ? long : undefined;
    // A type of its own, as avsc has one object for all ints otherwise.
    const type = inner.type === "long" ? makeLongType("auto") : new types.IntType();
    logicalTypes.set(type, logical);
    return type;
  };
  try {
    const parsed = parse(schema) as Parameters<typeof Type.forSchema>[0];
    const type = Type.forSchema(parsed, { typeHook, wrapUnions: "always" });
    records.forEach(checkDefaults);
    return { type, logicalTypes };
  } catch (cause) {
    throw new TypeError(
      `Cannot create AvroCodec as ${what} is wrong: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}

/** A text that begins as JSON does is JSON; any other is a type's name. */
function parse(schema: AvroSchema): unknown {
  if (typeof schema !== "string") return schema;
  const text = schema.trim();
  return /^[[{"]/.test(text) ? parseExactly(text) : text;
}

function isRecord(schema: object): schema is { readonly fields: readonly unknown[] } {
  const { type, fields } = schema as { type?: unknown; fields?: unknown };
  return (type === "record" || type === "error") && Array.isArray(fields);
}

/** avsc would set a prototype instead of a field of this name. */
function refuseProto({ fields }: { readonly fields: readonly unknown[] }): void {
  if (fields.some((field) => (field as { name?: unknown } | null)?.name === "__proto__")) {
    throw new TypeError('a field cannot be named "__proto__"');
  }
}
