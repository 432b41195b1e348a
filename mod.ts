/**
 * Stateful stream processing with ordinary functions: sources become web `ReadableStream`s, handlers
 * `TransformStream`s, sinks `WritableStream`s.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App } from "@slipstream/slipstream";
 *
 * const app = new App();
 * const caught: string[] = [];
 *
 * async function* sea() {
 *   yield "fish";
 *   yield "shoe";
 * }
 *
 * app.handle(sea(), function* (thing) {
 *   if (thing === "fish") yield "blub";
 * }, { sink: (sound) => caught.push(sound) });
 *
 * await app.stream();
 * assertEquals(caught, ["blub"]);
 * ```
 *
 * @module
 */
export { App, type AppOptions, type StreamOptions } from "./src/app.ts";
export { app, handle, stream } from "./src/handle.ts";
export { type CommitOptions } from "./src/flow/run/commit_cycle.ts";
export type { ConcurrencyOptions } from "./src/flow/concurrency/options.ts";
export { Merge, merge, type MessageOf } from "./src/flow/source/source.ts";
export type { Aggregation } from "./src/flow/stage/aggregation.ts";
export { batch, type ExactPipe, filter, flatMap, map } from "./src/flow/stage/exact_pipes.ts";
export { type PipePromise } from "./src/flow/stage/unacknowledged.ts";
export { type PromisedPipe, sequential, untilEnd } from "./src/flow/stage/pipe_promises.ts";
export { Proxy, type ProxyOptions, type ProxyWriter } from "./src/flow/proxy/proxy.ts";
export { replayable, type ReplayableOptions } from "./src/flow/source/replayable.ts";
export { Checkpoint } from "./src/checkpoint/checkpoint.ts";
export {
  type CheckpointEvent,
  type CheckpointOptions,
  type CheckpointStore,
  type PartitionStore,
} from "./src/checkpoint/checkpoint_options.ts";
export {
  type CheckpointView,
  Dependency,
  type DependencyCallback,
  type DependencyOptions,
  type DependencyStatus,
  type HeartbeatOptions,
} from "./src/checkpoint/dependency.ts";
export { type IdlePartitions, type PartName } from "./src/checkpoint/dependency_parts.ts";
export { type Marker } from "./src/checkpoint/marker.ts";
export { closeAtEnd } from "./src/flow/stage/sinks.ts";
export type { StateCache } from "./src/flow/state/state.ts";
export { deadLetter, retry } from "./src/policies.ts";
export { toReadable, toTransform, toWritable } from "./src/convert.ts";
export type {
  HandleOptions,
  OptionsOrStage,
  Pipe,
  PipeFunction,
  PipeOrStage,
  Stage,
} from "./src/handle_options.ts";
export type {
  Context,
  Correction,
  FlowFailure,
  Handler,
  MessageKey,
  NodeSink,
  OpaquePipe,
  Result,
  RetryOptions,
  SinkObject,
  StreamPair,
} from "./src/types.ts";
export type { ErrorPolicy, ExhaustedPolicy, OnError } from "./src/flow/stage/error_policy.ts";
export type { Sink } from "./src/flow/stage/sink.ts";
export type { Source } from "./src/flow/source/source.ts";
export type { StatusEvent } from "./src/status.ts";
export type { EdgeKind, NodeKind, Topology, TopologyEdge, TopologyNode } from "./src/topology.ts";
export type {
  AppSnapshot,
  AppState,
  CheckpointSnapshot,
  CommitSnapshot,
  CorrectionSnapshot,
  DependencySnapshot,
  ErrorKind,
  ErrorSummary,
  FlowSnapshot,
  HeldSnapshot,
  OutageSnapshot,
  PartitionSnapshot,
  Place,
  SourceSnapshot,
  StoreSnapshot,
  Waiting,
  Watermark,
  WindowCounts,
  WindowSnapshot,
  Work,
} from "./src/snapshot.ts";
export type { Clock } from "./src/clock.ts";
export type { Duration } from "./src/duration.ts";
export {
  CodecError,
  CommitError,
  CycleError,
  DrainError,
  type ErrorPlace,
  FlowError,
  HandlerError,
  PipeError,
  ProxyEndedError,
  ProxyFullError,
  SinkError,
  SourceError,
  type Stuck,
} from "./src/errors.ts";
export { BytesCodec } from "./src/codecs/bytes_codec.ts";
export { type Codec } from "./src/codecs/codec.ts";
export { JsonCodec, type JsonCodecOptions } from "./src/codecs/json_codec.ts";
export {
  type StandardSchema,
  type StandardSchemaIssue,
  type StandardSchemaResult,
} from "./src/codecs/standard_schema.ts";
export { TextCodec } from "./src/codecs/text_codec.ts";
export type { AggregateOptions, Keyed } from "./src/cache/aggregate.ts";
export { Cache } from "./src/cache/cache.ts";
export type {
  CacheOptions,
  DeleteOptions,
  MemoryCacheOptions,
  SetOptions,
  SpaceOptions,
} from "./src/cache/cache_options.ts";
export {
  type CacheDamage,
  CacheDamagedError,
  CacheHeldError,
  CacheStorageError,
} from "./src/cache/errors.ts";
export type { Key, KeyPart } from "./src/cache/keys.ts";
export { MemoryCache } from "./src/cache/memory_cache.ts";
export type { RangeOptions } from "./src/cache/range.ts";
export type {
  Transaction,
  TransactionOptions,
  TransactionSetOptions,
} from "./src/cache/transaction.ts";
export type { UpdatesOptions } from "./src/cache/updates.ts";
export { type Tombstone, tombstone } from "./src/tombstone.ts";
