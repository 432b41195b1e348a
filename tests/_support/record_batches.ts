/** Record batches for tests: random records, batches of them, and what batches hold in words. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import type {
  BrokerRecord,
  Compression,
  Header,
  ProducerRecord,
} from "../../src/kafka/client/broker.ts";
import type { BatchHead } from "../../src/kafka/records/batch_head.ts";
import type { FetchedRecords } from "../../src/kafka/records/fetched_records.ts";
import { readBatches, type ReadOptions } from "../../src/kafka/records/batch_reader.ts";
import { type BatchOptions, writeBatch } from "../../src/kafka/records/batch_writer.ts";
import { ByteWriter } from "../../src/kafka/records/byte_writer.ts";
import { crc32c } from "../../src/kafka/records/crc32c.ts";

/** All compressions. */
export const COMPRESSIONS: Compression[] = ["none", "gzip", "snappy", "lz4", "zstd"];

/** The time of records without one. */
export const NOW = 1_700_000_000_000;

/** Bytes that are null, empty, random, or the same again and again, some of them long. */
const bytes: fc.Arbitrary<Uint8Array | null> = fc.oneof(
  fc.constant(null),
  fc.uint8Array({ maxLength: 70 }),
  fc.tuple(fc.constantFrom(0, 1, 24, 25, 63, 64, 8191, 8192, 70_000), fc.nat(3)).map((
    [length, step],
  ) => Uint8Array.from({ length }, (_, i) => i * step)),
);
const header: fc.Arbitrary<Header> = fc.tuple(fc.string({ unit: "grapheme", maxLength: 9 }), bytes);
const MOST = Number.MAX_SAFE_INTEGER;
const timestamp = fc.option(
  fc.oneof(fc.constantFrom(0, 1, 63, 64, 2 ** 31, 2 ** 40, MOST), fc.nat(), fc.maxSafeNat()),
  { nil: undefined },
);

/** A record to be written. */
export const record: fc.Arbitrary<ProducerRecord> = fc.record({
  key: bytes,
  value: bytes,
  headers: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, {
    weight: 1,
    arbitrary: fc.array(header, { maxLength: 70 }),
  }),
  timestamp,
});

/** Returns a batch, with a base offset as a broker writes it. */
export async function batchOf(
  records: readonly ProducerRecord[],
  { baseOffset = 0, ...options }: Partial<BatchOptions> & { baseOffset?: number } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const writer = new ByteWriter();
  await writeBatch(writer, records, { now: NOW, ...options });
  const batch = writer.written.slice();
  new DataView(batch.buffer).setBigInt64(0, BigInt(baseOffset));
  return batch;
}

/** Writes the right checksum over the one of a batch. */
export function seal(batch: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  new DataView(batch.buffer, batch.byteOffset).setInt32(17, crc32c(batch, 21));
  return batch;
}

/** Reads batches; what cannot be decoded is thrown. */
export async function read(
  bytes: Uint8Array,
  options: Partial<ReadOptions> = {},
): Promise<FetchedRecords> {
  const fetched = await readBatches(bytes, { from: 0, ...options });
  if (fetched.failure !== undefined) throw fetched.failure;
  return fetched;
}

/** The records of a list. */
export function all(fetched: FetchedRecords): BrokerRecord[] {
  return Array.from({ length: fetched.length }, (_, i) => fetched.at(i)!);
}

/** What batches hold, as `Batches.java` prints it. */
export function dump(fetched: FetchedRecords): string[] {
  const records = all(fetched);
  return fetched.batches.flatMap((head) => [
    batchLine(head),
    ...records.filter(({ offset }) => offset >= head.baseOffset && offset <= head.lastOffset)
      .map(recordLine),
  ]);
}

function batchLine(head: BatchHead): string {
  const { baseOffset, lastOffset, producerId, producerEpoch, baseSequence, count } = head;
  const transactional = head.isTransactional ? "transactional" : "-";
  const control = head.isControl ? "control" : "-";
  const numbers = [baseOffset, lastOffset, producerId, producerEpoch, baseSequence, count];
  return ["batch", ...numbers, head.compression, transactional, control].join(" ");
}

function recordLine({ offset, timestamp, key, value, headers }: BrokerRecord): string {
  const words = headers.map(([name, bytes]) =>
    `${new TextEncoder().encode(name).toHex()}=${shown(bytes)};`
  );
  return ["record", offset, timestamp, shown(key), shown(value), words.join("")].join(" ").trim();
}

function shown(bytes: Uint8Array | null): string {
  if (bytes === null) return "null";
  if (bytes.length <= 64) return `0x${bytes.toHex()}`;
  return `${bytes.length}:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Returns bytes one after the other. */
export function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
