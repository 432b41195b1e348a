import { assertBytes, type Codec } from "./codec.ts";
import { must, oneOf, readOptions, type Rules } from "../options.ts";
import { type StandardSchema, validate } from "./standard_schema.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

const BYTE_ORDER_MARK = 0xfeff;

/** `JSON.rawJSON` is in every Deno that this package supports, but not yet in the type library. */
const { rawJSON } = JSON as typeof JSON & { rawJSON(text: string): unknown };

/** Options for {@linkcode JsonCodec}. */
export interface JsonCodecOptions<T> {
  /** Checks, and may change, each decoded value: any Standard Schema validator. Encoded values are not checked. */
  schema?: StandardSchema<T> | undefined;
  /**
   * How integers are treated that a number cannot hold exactly.
   *
   * - `"number"`: as `JSON` does it. A `bigint` cannot be encoded, and a decoded integer past 2^53 is rounded.
   * - `"bigint"`: a `bigint` is encoded as an integer, and an integer past 2^53 is decoded as a `bigint`; smaller
   *   ones are decoded as numbers whatever they were. Decoding takes several times longer.
   *
   * @default {"number"}
   */
  integers?: "number" | "bigint" | undefined;
}

const RULES = {
  schema: must(
    'a Standard Schema validator, with its "~standard"',
    (value) => {
      const schema = value as Partial<StandardSchema<unknown>> | null;
      return typeof schema?.["~standard"]?.validate === "function";
    },
  ),
  integers: oneOf("number", "bigint"),
} as const satisfies Rules<JsonCodecOptions<unknown>>;

/**
 * Values as JSON text in UTF-8.
 *
 * Values that JSON cannot hold are converted as `JSON.stringify` does:
 * - `undefined`, functions and symbols: left out of objects, `null` in arrays, an error as the whole value.
 * - `Date`: its ISO string, which is decoded as that string; a `schema` can turn it into a `Date` again.
 * - `bigint`: an error, or an integer (see the option `integers`).
 * - `NaN` and infinities: `null`. `-0`: `0`. Maps and sets: `{}`. Circular values: an error.
 *
 * A key named `__proto__` is decoded as an own property like any other; no prototype is ever set. Bytes that
 * are not UTF-8 are an error; a byte order mark is skipped.
 *
 * @typeParam T The values. Without a `schema`, nothing checks this type.
 *
 * @example
 * ```ts
 * import { JsonCodec } from "@slipstream/slipstream";
 * import { assertEquals } from "@std/assert";
 *
 * const codec = new JsonCodec<{ emoji: string }>();
 * assertEquals(await codec.decode(codec.encode({ emoji: "🏆" })), { emoji: "🏆" });
 * ```
 */
export class JsonCodec<T = unknown> implements Codec<T> {
  /** Without a `schema` it never answers with a promise. */
  readonly synchronous: boolean;
  readonly #schema: StandardSchema<T> | undefined;
  readonly #bigint: boolean;

  /**
   * Makes the codec.
   *
   * @throws {TypeError} When an option is wrong.
   */
  constructor(options: JsonCodecOptions<T> = {}) {
    const { schema, integers = "number" } = readOptions("JsonCodec", options, RULES);
    this.synchronous = schema === undefined;
    this.#schema = schema;
    this.#bigint = integers === "bigint";
  }

  /**
   * Makes the JSON of `value`.
   *
   * @throws {TypeError} When JSON cannot hold it.
   */
  encode(value: T): Uint8Array {
    let text: string | undefined;
    try {
      text = this.#bigint ? JSON.stringify(value, bigintToRaw) : JSON.stringify(value);
    } catch (cause) {
      throw new TypeError(`Cannot encode JSON: ${reasonOf(cause, value, this.#bigint)}`, { cause });
    }
    if (text === undefined) {
      throw new TypeError(`Cannot encode JSON as it cannot hold a value of type ${typeof value}`);
    }
    return encodeUtf8(text);
  }

  /**
   * Makes the value of `bytes`; a promise only where the `schema` validates asynchronously.
   *
   * @throws {SyntaxError} When they are not JSON.
   * @throws {TypeError} When they are not UTF-8, or the `schema` refuses the value.
   */
  decode(bytes: Uint8Array): T | Promise<T> {
    const value = this.#parse(toText(bytes));
    return this.#schema === undefined
      ? value as T
      : validate(this.#schema, value, "Cannot decode JSON");
  }

  #parse(text: string): unknown {
    try {
      return this.#bigint ? JSON.parse(text, integerToBigint) : JSON.parse(text);
    } catch (cause) {
      throw new SyntaxError(`Cannot decode JSON: ${(cause as Error).message}`, { cause });
    }
  }
}

function toText(bytes: Uint8Array): string {
  assertBytes(bytes, "Cannot decode JSON");
  try {
    const text = decodeUtf8(bytes);
    return text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text;
  } catch (cause) {
    throw new TypeError("Cannot decode JSON: the bytes are not valid UTF-8", { cause });
  }
}

function bigintToRaw(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? rawJSON(value.toString()) : value;
}

function integerToBigint(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  return source !== undefined && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/** Says why `value` cannot be encoded: V8 does not say where a bigint is. */
function reasonOf(cause: unknown, value: unknown, bigint: boolean): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (bigint || !message.includes("BigInt")) return message;
  let where = "";
  JSON.stringify(value, (key, inner) => {
    if (typeof inner !== "bigint") return inner;
    where ||= key;
    return null;
  });
  const at = where === "" ? "" : ` at key ${JSON.stringify(where)}`;
  return `a bigint${at} needs the option { integers: "bigint" }`;
}
