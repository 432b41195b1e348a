import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { ProducerRecord } from "../../../src/kafka/client/broker.ts";
import { MAX_BATCH_BYTES } from "../../../src/kafka/records/batch_format.ts";
import { headerName, writeBatch } from "../../../src/kafka/records/batch_writer.ts";
import { ByteWriter } from "../../../src/kafka/records/byte_writer.ts";
import {
  all,
  batchOf,
  COMPRESSIONS,
  joined,
  NOW,
  read,
  record,
} from "../../_support/record_batches.ts";

const PRODUCER = { producerId: 2n ** 63n - 1n, producerEpoch: 32_767, baseSequence: 2 ** 31 - 1 };

function plain(value: string, timestamp?: number): ProducerRecord {
  return { key: null, value: new TextEncoder().encode(value), headers: [], timestamp };
}

for (const compression of COMPRESSIONS) {
  Deno.test(`writeBatch() with ${compression}: what is written is read again`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 1, maxLength: 40 }),
        fc.constantFrom(0, 1, 2 ** 40),
        fc.nat(45),
        fc.boolean(),
        async (records, baseOffset, skipped, isTransactional) => {
          const options = { baseOffset, compression, producer: PRODUCER, isTransactional };
          const batch = await batchOf(records, options);
          const from = baseOffset + skipped;
          const fetched = await read(batch, { from });
          const expected = records.map(({ timestamp = NOW, ...rest }, i) => ({
            ...rest,
            timestamp,
            offset: baseOffset + i,
          }));
          const { length } = records;
          assertEquals(
            all(fetched).map(({ key, value, headers, timestamp, offset }) => ({
              key,
              value,
              headers,
              timestamp,
              offset,
            })),
            expected.slice(skipped),
          );
          assertEquals(fetched.next, Math.max(from, baseOffset + length));
          assertEquals(fetched.batches.length, 1);
          const [head] = fetched.batches;
          assertEquals(
            { ...head },
            {
              ...head,
              ...PRODUCER,
              baseOffset,
              lastOffset: baseOffset + length - 1,
              count: length,
              compression,
              isTransactional,
              isControl: false,
              appendTime: undefined,
            },
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  Deno.test(`writeBatch() with ${compression}: a batch of many megabytes is read again`, async () => {
    let seed = 7;
    const random = () => seed = Math.imul(seed, 1103515245) + 12345 >>> 0;
    const records = Array.from({ length: 9_000 }, (_, i): ProducerRecord => ({
      key: new TextEncoder().encode(`key ${random() % 500}`),
      value: i % 1_000 === 0
        ? Uint8Array.from({ length: 90_000 }, random)
        : new TextEncoder().encode(
          `{"n":${random()},"text":"${"what comes again ".repeat(i % 9)}"}`,
        ),
      headers: [],
    }));
    const fetched = await read(await batchOf(records, { compression }));
    for (const [i, { key, value }] of all(fetched).entries()) {
      // Compared here, and not by assertEquals: it takes a second a megabyte.
      if (!same(key!, records[i]!.key!) || !same(value!, records[i]!.value!)) {
        throw new Error(`record ${i} is another one`);
      }
    }
    assertEquals(fetched.length, records.length);
  });
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

Deno.test("writeBatch() writes after what the writer holds", async () => {
  const writer = new ByteWriter();
  writer.string("naïve");
  writer.string(null);
  const begin = writer.at;
  for (const compression of COMPRESSIONS) {
    await writeBatch(writer, [plain(compression)], { now: NOW, compression });
  }
  assertEquals(
    writer.written.slice(0, begin),
    joined(new Uint8Array([0, 6]), new TextEncoder().encode("naïve"), new Uint8Array([255, 255])),
  );
  const batches = writer.written.slice(begin);
  const view = new DataView(batches.buffer);
  for (let at = 0, offset = 0; at < batches.length; at += 12 + view.getInt32(at + 8)) {
    view.setBigInt64(at, BigInt(offset++));
  }
  const fetched = await read(batches);
  assertEquals(all(fetched).map(({ value }) => new TextDecoder().decode(value!)), COMPRESSIONS);
});

Deno.test("writeBatch() without a producer writes one that is not idempotent", async () => {
  const { batches: [head] } = await read(await batchOf([plain("a")]));
  const { producerId, producerEpoch, baseSequence } = head!;
  assertEquals({ producerId, producerEpoch, baseSequence }, {
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
  });
});

Deno.test("writeBatch() takes times before the first record's, and the last times there are", async () => {
  const times = [NOW, 0, NOW - 1, NOW + 63, 2 ** 53 - 1, -1];
  const fetched = await read(await batchOf(times.map((time) => plain("a", time))));
  assertEquals(all(fetched).map(({ timestamp }) => timestamp), times);
});

Deno.test("writeBatch() refuses times that are not safe integers, or too far apart, and writes nothing", () => {
  const times = [[NaN], [0.5], [Infinity], [2 ** 53], [0, 2 ** 53], [-(2 ** 52), 2 ** 53 - 1]];
  for (const timestamps of times) {
    const writer = new ByteWriter();
    writer.string("before");
    const { at } = writer;
    const records = timestamps.map((time) => plain("a", time));
    assertThrows(
      () => writeBatch(writer, records, { now: NOW }),
      RangeError,
      "Cannot write a record with the time",
    );
    assertEquals(writer.at, at);
  }
});

Deno.test("writeBatch() refuses a batch without records", () => {
  assertThrows(
    () => writeBatch(new ByteWriter(), [], { now: NOW }),
    RangeError,
    "Cannot write a record batch without records",
  );
});

Deno.test("writeBatch() refuses the name of a header that UTF-8 cannot hold", () => {
  const record: ProducerRecord = { ...plain("a"), headers: [["\ud800", null]] };
  assertThrows(
    () => writeBatch(new ByteWriter(), [record], { now: NOW }),
    TypeError,
    "half of a surrogate pair",
  );
});

Deno.test("headerName() returns the right bytes for more names than it keeps", () => {
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 3_000; i++) {
      const name = i % 3 === 0 ? `n${i}`.repeat(50) : `n${i}`;
      assertEquals(new TextDecoder().decode(headerName(name)), name);
    }
  }
});

for (const compression of COMPRESSIONS) {
  Deno.test(`writeBatch() with ${compression} takes the most bytes that readBatches() takes, and no more`, async () => {
    const written = (bytes: number) =>
      batchOf([{ key: null, value: new Uint8Array(bytes), headers: [] }], { compression });
    // Lengths of 4 bytes of record and value; attributes, deltas, key and headers of 1.
    const most = MAX_BATCH_BYTES - 13;
    await assertRejects(
      () => written(most + 1),
      RangeError,
      `Cannot write a record batch of more than ${MAX_BATCH_BYTES} bytes: it has ${
        MAX_BATCH_BYTES + 1
      }`,
    );
    const fetched = await read(await written(most));
    assertEquals(fetched.at(0)!.value!.length, most);
  });
}
