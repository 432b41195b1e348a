/**
 * Stream processing on web streams: sources, handlers and sinks.
 *
 * @module
 */
export { type Clock } from "./src/clock.ts";
