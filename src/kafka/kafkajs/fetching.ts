/**
 * What a fetch brings, read by `records/`. kafkajs, which keeps the positions, is shown one message for each
 * partition that has moved on: it stands for all that came.
 */
import { parse } from "kafkajs/src/protocol/requests/fetch/v11/response.js";
import type { AbortedTransaction } from "../records/batch_reader.ts";
import { readBatches } from "../records/batch_reader.ts";
import { safeInt64 } from "../records/byte_reader.ts";
import type { FetchedRecords } from "../records/fetched_records.ts";

/** What was asked of one partition. */
export interface Asked<T> {
  /** The position. */
  readonly from: number;
  /** What the caller knows it by. */
  readonly tag: T;
}

/** What came of one partition. */
export interface Came<T> {
  /** What it was asked with. */
  readonly tag: T;
  /** The records, and the position after them. */
  readonly fetched: FetchedRecords;
  /** The end of the partition. */
  readonly high: number;
}

/** Messages that stand for what came, as kafkajs keeps them, by themselves. */
const standing = new WeakMap<object, Came<unknown>>();

/** Returns what a message of kafkajs stands for. */
export function cameWith<T>(message: object): Came<T> {
  return standing.get(message)! as Came<T>;
}

interface Partition {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: string;
  readonly preferredReadReplica: number;
  readonly messages: readonly object[];
}

interface Answer {
  readonly throttleTime: 0;
  readonly clientSideThrottleTime: number;
  readonly responses: readonly {
    readonly topicName: string;
    readonly partitions: readonly Partition[];
  }[];
}

/** How kafkajs reads an answer. */
export interface Response {
  /** Reads the bytes after its head. */
  decode(bytes: Uint8Array): Promise<Answer>;
  /** Throws the error of a partition. */
  parse(answer: Answer): Promise<Answer>;
}

/** Called for a partition whose only batch was cut off, with the number of its bytes. */
export type CutOff = (partition: number, bytes: number) => void;

/** Is told of a partition that ends at the position that was asked for. */
export type AtEnd<T> = (partition: number, asked: Asked<T>) => void;

/** Returns how the answer to a fetch is read that asks of each partition of one topic what `asked` says. */
export function fetchResponse<T>(
  apiVersion: number,
  asked: ReadonlyMap<number, Asked<T>>,
  { cutOff, atEnd }: { readonly cutOff: CutOff; readonly atEnd: AtEnd<T> },
): Response {
  return { decode: (bytes) => readAnswer(bytes, apiVersion, asked, { cutOff, atEnd }), parse };
}

const decoder = new TextDecoder();

/** @see The Kafka protocol guide, "Fetch API", versions 4 to 11. */
async function readAnswer<T>(
  bytes: Uint8Array,
  apiVersion: number,
  asked: ReadonlyMap<number, Asked<T>>,
  { cutOff, atEnd }: { readonly cutOff: CutOff; readonly atEnd: AtEnd<T> },
): Promise<Answer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = apiVersion >= 7 ? 10 : 4; // the throttle time; the error and the session
  const int32 = () => view.getInt32((at += 4) - 4);
  const responses: { topicName: string; partitions: Partition[] }[] = [];
  for (let topics = int32(); topics > 0; topics--) {
    const nameEnd = at + 2 + view.getInt16(at);
    const topicName = decoder.decode(bytes.subarray(at + 2, nameEnd));
    at = nameEnd;
    const partitions: Partition[] = [];
    for (let count = int32(); count > 0; count--) {
      const partition = int32();
      const errorCode = view.getInt16(at);
      const high = safeInt64(view, at + 2);
      at += apiVersion >= 5 ? 26 : 18; // past where it is stable, and where it begins
      const aborted: AbortedTransaction[] = [];
      for (let left = int32(); left > 0; left--, at += 16) {
        aborted.push({
          producerId: view.getBigInt64(at),
          firstOffset: safeInt64(view, at + 8),
        });
      }
      const preferredReadReplica = apiVersion >= 11 ? int32() : -1;
      const size = Math.max(0, int32());
      const batches = bytes.subarray(at, at += size);
      const { from, tag } = asked.get(partition)!;
      let messages: readonly object[] = [];
      if (errorCode === 0) {
        const reading = readBatches(batches, { from, end: high, aborted });
        const fetched = reading instanceof Promise ? await reading : reading;
        const { missing, next, failure } = fetched;
        if (missing > 0 && next === from) cutOff(partition, size + missing);
        const last = failure?.lastOffset ?? next - 1;
        if (last < from && high === from) atEnd(partition, { from, tag });
        if (last >= from) messages = [stand(last, { tag, fetched, high })];
      }
      const highWatermark = String(high);
      partitions.push({ partition, errorCode, highWatermark, preferredReadReplica, messages });
    }
    responses.push({ topicName, partitions });
  }
  // It comes when the broker has sent the answer at once, and expects that it is waited for.
  const clientSideThrottleTime = apiVersion >= 8 ? view.getInt32(0) : 0;
  return { throttleTime: 0, clientSideThrottleTime, responses };
}

function stand<T>(offset: number, came: Came<T>): object {
  const message = { offset: String(offset), isControlRecord: false };
  standing.set(message, came);
  return message;
}
