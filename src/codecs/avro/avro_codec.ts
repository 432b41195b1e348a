import { Buffer } from "node:buffer";
import type { Type } from "avsc";
import { assertBytes, type Codec } from "../codec.ts";
import { anything, number, oneOf, readOptions, type Rules } from "../../options.ts";
import { ByteReader } from "./byte_reader.ts";
import { type FromAvro, fromAvroOf } from "./from_avro.ts";
import { type Guard, guardOf } from "./guard.ts";
import { type AvroBounds, type AvroLimits, DEEPEST } from "./limits.ts";
import type { ToAvro } from "./scalar.ts";
import { type AvroSchema, loadSchema } from "./schema.ts";
import { toAvroOf } from "./to_avro.ts";
import { Walk } from "./walk.ts";

/** Options for {@linkcode AvroCodec}. */
export interface AvroCodecOptions extends AvroLimits {
  /**
   * The schema that decoded values have, when it is another version of the one the bytes are written with: fields
   * are dropped, filled with defaults, renamed by aliases and widened as Avro's schema resolution says. Every value
   * of the one must be readable as the other, which is checked when the codec is made. Widening may round: a `long`
   * read as `float` or `double`, and `bytes` read as `string`, where invalid UTF-8 becomes U+FFFD.
   *
   * @default {the schema of the bytes}
   */
  readerSchema?: AvroSchema | undefined;
  /**
   * What a `long` is decoded as: `"auto"` a number, past 2^53 a bigint; `"bigint"` always a bigint. Both are encoded
   * either way.
   *
   * @default {"auto"}
   */
  longs?: "auto" | "bigint" | undefined;
}

const RULES = {
  readerSchema: anything,
  longs: oneOf("auto", "bigint"),
  maxBytes: number({ least: 1, integer: true }),
  maxItems: number({ least: 1, integer: true }),
  maxDepth: number({ least: 1, most: DEEPEST, integer: true }),
} as const satisfies Rules<AvroCodecOptions>;

/**
 * Values as Avro's binary encoding of one schema, without a header: what Kafka messages hold.
 *
 * | Avro | here |
 * |---|---|
 * | `int`, `float`, `double` | number |
 * | `long` | number or bigint; past 2^53 always bigint |
 * | `bytes`, `fixed` | `Uint8Array` |
 * | `record`, `map` | plain object |
 * | `date`, `timestamp-millis` | `Date` (a date is midnight UTC) |
 * | `timestamp-micros`, `timestamp-nanos` | `Temporal.Instant` |
 * | other logical types | the type they are made of |
 * | union | the value, where the types in it look different; else `{ "name of the type": value }`, and `null` |
 *
 * - A value that the schema cannot hold is an error, except that a `float` is rounded and properties that are no fields are
 *   left out. A missing field takes its default: of a union the first type that it is of, as in Avro 1.12. A schema
 *   as text keeps `long` defaults past 2^53 exact; in an object they are bigints.
 * - Errors name the field: `Cannot encode Avro field "items[3].price" as int: current value is "x"`.
 * - Bytes are checked before they are decoded; hostile ones cost no more than `maxBytes`, `maxItems` and
 *   `maxDepth` allow. A map key `__proto__` is refused both ways.
 * - Schemas are trusted code: `avsc`, which does the encoding, compiles them into functions.
 *
 * @typeParam T The decoded values, which the schema describes to avsc but not to TypeScript.
 *
 * @example
 * ```ts
 * import { AvroCodec } from "@slipstream/slipstream/avro";
 * import { assertEquals } from "@std/assert";
 *
 * const codec = new AvroCodec<{ emoji: string; at: Date }>({
 *   type: "record",
 *   name: "Reaction",
 *   fields: [
 *     { name: "emoji", type: "string" },
 *     { name: "at", type: { type: "long", logicalType: "timestamp-millis" } },
 *   ],
 * });
 * const bytes = codec.encode({ emoji: "🏆", at: new Date(1) });
 * assertEquals(bytes.length, 6);
 * assertEquals(codec.decode(bytes), { emoji: "🏆", at: new Date(1) });
 * ```
 */
export class AvroCodec<T = unknown> implements Codec<T> {
  /** It never answers with a promise. */
  readonly synchronous = true;
  readonly #bounds: AvroBounds;
  readonly #written: Type;
  readonly #guard: Guard;
  readonly #toAvro: ToAvro;
  readonly #read: (bytes: Buffer) => unknown;
  readonly #fromAvro: FromAvro;

  /**
   * Makes the codec.
   *
   * @param schema The schema of the bytes, of those encoded and those decoded: an object, or its text.
   * @throws {TypeError} When a schema or an option is wrong, or the reader's schema does not fit.
   * @throws {RangeError} When a limit is out of range.
   */
  constructor(schema: AvroSchema, options: AvroCodecOptions = {}) {
    const {
      readerSchema,
      longs = "auto",
      maxBytes = 16_777_216,
      maxItems = 1_000_000,
      maxDepth = 64,
    } = readOptions("AvroCodec", options, RULES);
    this.#bounds = { maxBytes, maxItems, maxDepth };
    const written = loadSchema(schema, longs, "the schema");
    this.#written = written.type;
    this.#guard = guardOf(written.type);
    this.#toAvro = toAvroOf(written);
    const wanted = readerSchema === undefined
      ? written
      : loadSchema(readerSchema, longs, "the reader's schema");
    this.#read = readerOf(wanted.type, written.type);
    this.#fromAvro = fromAvroOf(wanted);
  }

  /**
   * Makes a codec of the schema in a file (`.avsc`).
   *
   * @param path The file; reading it needs `--allow-read`.
   * @throws {TypeError} As the constructor does.
   */
  static async fromFile<T = unknown>(
    path: string | URL,
    options: AvroCodecOptions = {},
  ): Promise<AvroCodec<T>> {
    return new AvroCodec<T>(await Deno.readTextFile(path), options);
  }

  /**
   * Makes the bytes of `value`.
   *
   * @throws {TypeError} When it is not of the schema; names the field.
   * @throws {RangeError} When it exceeds a bound.
   */
  encode(value: T): Uint8Array {
    const avro = this.#toAvro(value, new Walk("encode", this.#bounds));
    const { buffer, byteOffset, length } = this.#written.toBuffer(avro);
    this.#checkSize(length, "encode");
    return new Uint8Array(buffer, byteOffset, length);
  }

  /**
   * Makes the value of `bytes`.
   *
   * @throws {TypeError | RangeError} When they are not of the schema or exceed a bound; names the field.
   */
  decode(bytes: Uint8Array): T {
    assertBytes(bytes, "Cannot decode Avro");
    this.#checkSize(bytes.length, "decode");
    const reader = new ByteReader(bytes, new Walk("decode", this.#bounds));
    this.#guard(reader);
    reader.end();
    const value = this.#read(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    const convert = this.#fromAvro;
    return (convert === undefined ? value : convert(value, new Walk("decode", this.#bounds))) as T;
  }

  #checkSize(length: number, doing: string): void {
    if (length <= this.#bounds.maxBytes) return;
    throw new RangeError(
      `Cannot ${doing} Avro value as maxBytes is ${this.#bounds.maxBytes}: current size is ${length}`,
    );
  }
}

/** Makes what reads bytes of `written` as values of `wanted`. */
function readerOf(wanted: Type, written: Type): (bytes: Buffer) => unknown {
  if (wanted === written) return (bytes) => written.fromBuffer(bytes);
  try {
    const resolver = wanted.createResolver(written, { ignoreNamespaces: true });
    return (bytes) => wanted.fromBuffer(bytes, resolver);
  } catch (cause) {
    throw new TypeError(
      `Cannot create AvroCodec as the reader's schema cannot read the schema: ${
        (cause as Error).message
      }`,
      { cause },
    );
  }
}
