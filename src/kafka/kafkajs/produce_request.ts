import { Buffer } from "node:buffer";
import { createErrorFromCode } from "kafkajs/src/protocol/error.js";
import type { Compression, ProducerRecord } from "../client/broker.ts";
import { type ProducerState, writeBatch } from "../records/batch_writer.ts";
import { safeInt64 } from "../records/byte_reader.ts";
import { ByteWriter } from "../records/byte_writer.ts";
import type { BrokerConnection } from "./cluster.ts";
import { PRODUCE, versionOf } from "./versions.ts";

/** A batch for one partition. */
export interface PartitionBatch {
  /** The partition. */
  readonly partition: number;
  /** Who writes it, and its numbers. */
  readonly producer: ProducerState;
  /** Its records, one at least. */
  readonly records: readonly ProducerRecord[];
}

/** Batches for partitions that one broker leads. */
export interface ProduceRequest {
  /** The topic. */
  readonly topic: string;
  /** The time of the records that have none. */
  readonly now: number;
  /** How the batches are compressed. */
  readonly compression: Compression;
  /** The batches. */
  readonly batches: readonly PartitionBatch[];
  /** Once it aborts nothing is sent. */
  readonly signal: AbortSignal;
  /** Is called when the request has its place in the connection: what is sent after this is read after it. */
  readonly passed: () => void;
}

/** What became of a batch: the offset of its first record, or why it is not stored. */
export type Outcome =
  | { readonly offset: number; readonly error?: undefined }
  | { readonly offset?: undefined; readonly error: unknown };

/** For how many milliseconds the leader may wait for its followers. */
const TIMEOUT_MS = 30_000;
/** Stored by all replicas that are in sync. */
const ALL = -1;
/** The answer to a batch that was stored, before others that the broker still knows: its offset is forgotten. */
const DUPLICATE = 46;

/** Buffers that no request is being written to. */
const writers: ByteWriter[] = [];

/** Sends the request and resolves to what became of each batch that the answer names, by partition. */
export async function produce(
  broker: BrokerConnection,
  request: ProduceRequest,
): Promise<Map<number, Outcome>> {
  const apiVersion = versionOf(PRODUCE, broker.versions);
  const to = writers.pop() ?? new ByteWriter();
  await write(to, request);
  request.signal.throwIfAborted();
  const answer = await broker.connectionPool.send({
    request: {
      apiKey: PRODUCE.apiKey,
      apiName: PRODUCE.name,
      apiVersion,
      encode: () => {
        // Only a fixed number of steps, the same for all requests, lies between this and the socket.
        request.passed();
        const buffer = Buffer.from(to.bytes.buffer, 0, to.at);
        return Promise.resolve({ buf: buffer, buffer });
      },
    },
    response: {
      decode: (bytes) => Promise.try(readAnswer, bytes, apiVersion),
      parse: (answer) => Promise.resolve(answer),
    },
  });
  // Only when it is answered nobody reads it any more; one that failed may be written still.
  to.reset();
  writers.push(to);
  return answer.outcomes;
}

/** @see The Kafka protocol guide, "Produce API", versions 3 to 7. */
async function write(to: ByteWriter, request: ProduceRequest): Promise<void> {
  const { topic, now, compression, batches } = request;
  to.string(null); // no transaction
  to.reserve(10);
  to.int16(ALL);
  to.int32(TIMEOUT_MS);
  to.int32(1);
  to.string(topic);
  to.reserve(4);
  to.int32(batches.length);
  for (const { partition, producer, records } of batches) {
    to.reserve(8);
    to.int32(partition);
    const sizeAt = to.at;
    to.at += 4;
    const written = writeBatch(to, records, { now, compression, producer });
    if (written !== undefined) await written;
    to.int32At(sizeAt, to.at - sizeAt - 4);
  }
}

interface Answer {
  readonly outcomes: Map<number, Outcome>;
  /** For how many milliseconds nothing may be sent, where the broker does not wait itself. */
  readonly clientSideThrottleTime: number;
}

function readAnswer(bytes: Uint8Array, apiVersion: number): Answer {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const outcomes = new Map<number, Outcome>();
  let at = 4;
  for (let topics = view.getInt32(0); topics > 0; topics--) {
    at += 2 + view.getInt16(at);
    const count = view.getInt32(at);
    at += 4;
    for (let i = 0; i < count; i++) {
      const code = view.getInt16(at + 4);
      const isStored = code === 0 || code === DUPLICATE;
      const outcome = isStored
        ? { offset: safeInt64(view, at + 6) }
        : { error: createErrorFromCode(code) };
      outcomes.set(view.getInt32(at), outcome);
      // Its time, and where its log begins.
      at += apiVersion >= 5 ? 30 : 22;
    }
  }
  return { outcomes, clientSideThrottleTime: apiVersion >= 6 ? view.getInt32(at) : 0 };
}
