/**
 * Our codec of record batches beside that of kafkajs, which is the floor: batches of 1,000 records of about
 * 100 bytes. Ours checks the checksum when it reads, kafkajs does not.
 */
import { Buffer } from "node:buffer";
import kafkajsDecoder from "kafkajs/src/protocol/decoder.js";
import kafkajsRecord from "kafkajs/src/protocol/recordBatch/record/v0/index.js";
import kafkajsReadBatch from "kafkajs/src/protocol/recordBatch/v0/decoder.js";
import kafkajsBatch from "kafkajs/src/protocol/recordBatch/v0/index.js";
import { readBatches } from "../../src/kafka/records/batch_reader.ts";
import { writeBatch } from "../../src/kafka/records/batch_writer.ts";
import { ByteWriter } from "../../src/kafka/records/byte_writer.ts";
import type { Benchmark } from "./benchmark.ts";

const BATCH = 1_000;
const NOW = 1_700_000_000_000;
const PRODUCER = { producerId: 1n, producerEpoch: 0, baseSequence: 0 };

const records = Array.from({ length: BATCH }, (_, i) => {
  const note = `order ${String(i).padStart(30, "0")}`;
  const value = { user: `u${i * 7919 % 10_000}`, amount: i % 99 + 1, ts: NOW + i, note };
  return {
    key: Buffer.from(value.user),
    value: Buffer.from(JSON.stringify(value)),
    headers: [],
    timestamp: NOW + i,
  };
});

const writer = new ByteWriter();

function encode(): Uint8Array {
  writer.reset();
  void writeBatch(writer, records, { now: NOW, producer: PRODUCER });
  return writer.written;
}

const batch = Buffer.from(encode().slice().buffer);
const BYTES = records.reduce((sum, { key, value }) => sum + key.length + value.length, 0);

function check(is: number, ought: number): void {
  if (is !== ought) throw new Error(`The codec made ${is}, not ${ought}`);
}

const encoding: Benchmark = {
  name: "records/encode",
  count: 300_000,
  goals: { floor: 20 },
  ours(count) {
    for (let i = 0; i < count; i += BATCH) check(encode().length, batch.length);
    return Promise.resolve();
  },
  async floor(count) {
    for (let i = 0; i < count; i += BATCH) {
      const encoded = await kafkajsBatch.RecordBatch({
        records: records.map(({ key, value, timestamp }, i) =>
          kafkajsRecord({
            key,
            value,
            timestampDelta: timestamp - NOW,
            offsetDelta: i,
            headers: {},
          })
        ),
        firstTimestamp: NOW,
        maxTimestamp: NOW + BATCH - 1,
        producerId: "1",
        producerEpoch: 0,
        firstSequence: 0,
        lastOffsetDelta: BATCH - 1,
      });
      check(encoded.size(), batch.length);
    }
  },
};

const decoding: Benchmark = {
  name: "records/decode",
  count: 2_000_000,
  goals: { floor: 2 },
  async ours(count) {
    for (let i = 0; i < count; i += BATCH) {
      const reading = readBatches(batch, { from: 0 });
      const fetched = reading instanceof Promise ? await reading : reading;
      let bytes = 0;
      for (let j = 0; j < fetched.length; j++) {
        const { key, value } = fetched.at(j)!;
        bytes += key!.length + value!.length;
      }
      check(bytes, BYTES);
    }
  },
  async floor(count) {
    for (let i = 0; i < count; i += BATCH) {
      const decoded = await kafkajsReadBatch(new kafkajsDecoder(batch));
      let bytes = 0;
      for (const { key, value } of decoded.records) bytes += key.length + value.length;
      check(bytes, BYTES);
    }
  },
};

/** The benchmarks of record batches. */
export const recordBatches: readonly Benchmark[] = [encoding, decoding];
