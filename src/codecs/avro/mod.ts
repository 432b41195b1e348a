/**
 * Avro for topics, on `npm:avsc`. A separate entry, so that only programs that use it load it.
 *
 * @example
 * ```ts
 * import { AvroCodec } from "@slipstream/slipstream/avro";
 * import { assertEquals } from "@std/assert";
 *
 * const codec = new AvroCodec<number[]>({ type: "array", items: "int" });
 * assertEquals(codec.decode(codec.encode([1, 2, 3])), [1, 2, 3]);
 * ```
 *
 * @module
 */
export { AvroCodec, type AvroCodecOptions } from "./avro_codec.ts";
export { type AvroLimits } from "./limits.ts";
export { type AvroSchema } from "./schema.ts";
export { type Codec } from "../codec.ts";
