/**
 * Interfaces to write your own source, sink, exact pipe or broker. Most programs need none of them: any
 * iterable is a source, any function or `WritableStream` is a sink, and `replayable()` makes a source with positions.
 *
 * @example A source whose messages are acknowledged: jobs that are given back when they are not done
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App } from "@slipstream/slipstream";
 * import { END, type Feed, type FeedSource, openFeed, Receipt, WAIT } from "@slipstream/slipstream/connector";
 *
 * class Jobs implements FeedSource<string> {
 *   readonly positioned = true; // a job acknowledged too early is lost
 *   readonly done: string[] = [];
 *   constructor(private readonly queue: string[]) {}
 *
 *   [openFeed](): Feed<string> {
 *     const open = new Set<string>();
 *     const feed: Feed<string> = {
 *       receipt: undefined,
 *       poll: () => {
 *         const job = this.queue.shift();
 *         if (job === undefined) return END; // WAIT, and wake() later, where more may come
 *         open.add(job);
 *         feed.receipt = new Receipt(() => {
 *           open.delete(job);
 *           this.done.push(job);
 *         });
 *         return job;
 *       },
 *       wait() {},
 *       cancel: () => void this.queue.unshift(...open), // what is not done comes again
 *     };
 *     return feed;
 *   }
 * }
 *
 * const jobs = new Jobs(["a", "b"]);
 * const app = new App();
 * app.handle(jobs, (job) => job.toUpperCase(), { sink: () => {} });
 * await app.stream();
 * assertEquals(jobs.done, ["a", "b"]);
 * ```
 *
 * @example A sink that writes in batches: values are done only after `flush()`
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App } from "@slipstream/slipstream";
 * import { openSink, type SinkPort, type SinkTarget } from "@slipstream/slipstream/connector";
 *
 * class Table implements SinkTarget<number> {
 *   readonly inserts: number[][] = [];
 *   [openSink](): SinkPort<number> {
 *     let rows: number[] = [];
 *     const insert = () => {
 *       if (rows.length > 0) this.inserts.push(rows);
 *       rows = [];
 *     };
 *     return {
 *       write(row) {
 *         rows.push(row);
 *         if (rows.length === 2) insert(); // a promise would be backpressure
 *       },
 *       flush: () => Promise.resolve(insert()),
 *     };
 *   }
 * }
 *
 * const table = new Table();
 * const app = new App();
 * app.handle([1, 2, 3], (n) => n * 10, { sink: table });
 * await app.stream();
 * assertEquals(table.inserts, [[10, 20], [30]]);
 * ```
 *
 * @example A broker: here one that counts what is written through another
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import type { Broker } from "@slipstream/slipstream/connector";
 * import { Topic } from "@slipstream/slipstream/kafka";
 * import { MemoryBroker } from "@slipstream/slipstream/memory";
 *
 * class CountingBroker extends MemoryBroker implements Broker {
 *   written = 0;
 *   override async producer(options: Parameters<Broker["producer"]>[0]) {
 *     const producer = await super.producer(options);
 *     const count = () => void this.written++;
 *     return {
 *       send: async (record: Parameters<typeof producer.send>[0]) => {
 *         const place = await producer.send(record);
 *         count();
 *         return place;
 *       },
 *       add: (record: Parameters<typeof producer.add>[0]) => {
 *         count();
 *         return producer.add(record);
 *       },
 *       flush: () => producer.flush(),
 *       close: (signal?: AbortSignal) => producer.close(signal),
 *     };
 *   }
 * }
 *
 * await using broker = new CountingBroker();
 * await using topic = new Topic("emoji", { broker });
 * await topic.send({ key: "fish", value: "🐟" });
 * assertEquals(broker.written, 1);
 * ```
 *
 * For an exact pipe see {@linkcode exactPipe}.
 *
 * @module
 */
export {
  END,
  type Feed,
  type FeedSource,
  type FeedView,
  openFeed,
  openSink,
  type PartitionView,
  type SinkPort,
  type SinkTarget,
  WAIT,
} from "../flow/source/feed.ts";
export type {
  Commit,
  Companion,
  CompanionView,
  Host,
  PartState,
  Witness,
} from "../flow/source/host.ts";
export {
  Gate,
  type Positioned,
  type StartLimit,
  type StartPreparation,
} from "../flow/source/gate.ts";
export type { Holder } from "../flow/source/receipt.ts";
export { type Acknowledged, Receipt, type ReceiptGate } from "../flow/source/receipt.ts";
export type { Resumption, StateDriver } from "../flow/state/state.ts";
export type { Root } from "../flow/source/receipt.ts";
export { exactPipe } from "./exact_pipe.ts";
export type { ExactPipe } from "../flow/stage/exact_pipes.ts";
export type { Clock } from "../clock.ts";
export type { PartEvent } from "../status.ts";
export type {
  AskOptions,
  Assignment,
  Broker,
  BrokerRecord,
  Chunk,
  Compression,
  EmptyAnswer,
  GroupHandlers,
  Header,
  Instant,
  JoinOptions,
  Membership,
  Positions,
  Producer,
  ProducerOptions,
  ProducerRecord,
  RecordPlace,
  Records,
  TopicSpec,
} from "../kafka/client/broker.ts";
export type { BrokerStatus } from "../kafka/client/status.ts";
export {
  UndecodableBatchError,
  type UndecodablePlace,
} from "../kafka/records/undecodable_batch_error.ts";
