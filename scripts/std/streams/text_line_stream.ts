// A typed stand-in for jsr:@std/streams/text-line-stream (see CONTRIBUTING.md).
import { TextLineStream as StdTextLineStream } from "npm:deno-std@1.4.0/streams/text_line_stream.js";

/** Splits text into lines. */
export const TextLineStream: new () => TransformStream<string, string> = StdTextLineStream;
