/**
 * Stream processing on web streams: sources, handlers and sinks.
 *
 * @module
 */
export { type Clock } from "./src/clock.ts";
export { BytesCodec } from "./src/codecs/bytes_codec.ts";
export { type Codec } from "./src/codecs/codec.ts";
export { JsonCodec, type JsonCodecOptions } from "./src/codecs/json_codec.ts";
export {
  type StandardSchema,
  type StandardSchemaIssue,
  type StandardSchemaResult,
} from "./src/codecs/standard_schema.ts";
export { TextCodec } from "./src/codecs/text_codec.ts";
