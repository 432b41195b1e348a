import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import type { ProducerRecord } from "../../../src/kafka/client/broker.ts";
import { readBatches } from "../../../src/kafka/records/batch_reader.ts";
import { UndecodableBatchError } from "../../../src/kafka/records/undecodable_batch_error.ts";
import {
  all,
  batchOf,
  COMPRESSIONS,
  dump,
  read,
  record,
  seal,
} from "../../_support/record_batches.ts";

const encoder = new TextEncoder();

function few(): ProducerRecord[] {
  return Array.from({ length: 4 }, (_, i) => ({
    key: i === 1 ? null : encoder.encode(`key ${i}`),
    value: i === 2 ? null : encoder.encode(`value ${i} `.repeat(i + 1)),
    headers: i === 3 ? [["é", null], ["a", encoder.encode("b")]] : [],
  }));
}

/** A batch with another body, and the right length and checksum. */
function withBody(batch: Uint8Array, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(61 + body.length);
  bytes.set(batch.subarray(0, 61));
  bytes.set(body, 61);
  new DataView(bytes.buffer).setInt32(8, 49 + body.length);
  return seal(bytes);
}

for (const compression of COMPRESSIONS) {
  Deno.test(`a flipped bit in a batch with ${compression} is an error, or harmless outside the checksum`, async () => {
    const batch = await batchOf(few(), { baseOffset: 2 ** 40, compression });
    const lines = dump(await read(batch));
    for (let bit = 0; bit < 8 * batch.length; bit++) {
      const at = bit >>> 3;
      const flipped = batch.slice();
      flipped[at]! ^= 1 << (bit & 7);
      const fetched = await readBatches(flipped, { from: 0 });
      if (fetched.failure !== undefined) assertInstanceOf(fetched.failure, UndecodableBatchError);
      else if (at < 8) assertEquals(fetched.batches.length, 1); // other offsets, which no checksum covers
      else if (at < 12) assert(fetched.missing > 0 && fetched.length === 0); // longer, hence cut off
      else if (at < 16) assertEquals(dump(fetched), lines); // the leader's epoch
      else throw new Error(`bit ${bit} is not found to be flipped`);
    }
  });

  Deno.test(`records with ${compression} that end too early are an error, also with the right checksum`, async () => {
    const batch = await batchOf(few(), { compression });
    const body = batch.subarray(61);
    for (let end = 0; end < body.length; end++) {
      const { failure, length } = await readBatches(withBody(batch, body.subarray(0, end)), {
        from: 0,
      });
      assertInstanceOf(failure, UndecodableBatchError);
      assertEquals(length, 0);
    }
  });

  Deno.test(`what a batch with ${compression} and the right checksum holds is whole records or an error`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 1, maxLength: 6 }),
        fc.array(fc.tuple(fc.double({ min: 0, max: 1, maxExcluded: true }), fc.nat(255)), {
          minLength: 1,
          maxLength: 4,
        }),
        async (records, changes) => {
          const batch = await batchOf(records, { baseOffset: 100, compression });
          for (const [place, byte] of changes) {
            batch[23 + Math.floor(place * (batch.length - 23))] = byte;
          }
          const fetched = await readBatches(seal(batch), { from: 0 });
          if (fetched.failure !== undefined) {
            assertInstanceOf(fetched.failure, UndecodableBatchError);
            assert(fetched.failure.lastOffset >= fetched.failure.firstOffset);
            assertEquals([fetched.length, fetched.next], [0, 0]);
            return;
          }
          const { count, baseOffset, lastOffset } = fetched.batches[0]!;
          assertEquals([fetched.length, fetched.next], [count, lastOffset + 1]);
          let before = baseOffset - 1;
          for (const { offset, timestamp, key, value, headers } of all(fetched)) {
            assert(offset > before && offset <= lastOffset && Number.isSafeInteger(timestamp));
            before = offset;
            for (const bytes of [key, value, ...headers.map(([, value]) => value)]) {
              assert(bytes === null || bytes instanceof Uint8Array);
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });
}

Deno.test("a batch of few bytes with a count of 2^31 records is refused, and nothing is allocated for them", async () => {
  for (const compression of COMPRESSIONS) {
    const batch = await batchOf(few(), { compression });
    const view = new DataView(batch.buffer);
    view.setInt32(23, 2 ** 31 - 1);
    view.setInt32(57, 2 ** 31 - 1);
    const { failure } = await readBatches(seal(batch), { from: 0 });
    assertStringIncludes(failure!.message, "it has 2147483647 records in");
  }
});

Deno.test("counts and offsets that contradict each other are refused", async () => {
  const cases: [at: number, n: number, why: string][] = [
    [57, -1, "it has -1 records in 4 offsets"],
    [57, 5, "it has 5 records in 4 offsets"],
    [57, 3, "bytes follow its last record"],
    [23, -1, "its offsets are 0 from 7 on"],
    [23, 2, "it has 4 records in 3 offsets"],
  ];
  for (const [at, n, why] of cases) {
    const batch = await batchOf(few(), { baseOffset: 7 });
    new DataView(batch.buffer).setInt32(at, n);
    const { failure } = await readBatches(seal(batch), { from: 0 });
    assertStringIncludes(failure!.message, why);
  }
});

Deno.test("records that do not agree with their lengths are refused", async () => {
  const batch = await batchOf([few()[0]!]);
  // The length, then attributes, deltas of time and offset, key, value, headers: all are 0 or null in this one.
  assertEquals((await read(withBody(batch, Uint8Array.fromHex("0c000000010100")))).length, 1);
  const cases: [hex: string, why: string][] = [
    ["0a000000010100", "does not end within the batch"], // too short for a record
    ["ffffffff0f0000000101", "does not end within the batch"], // a negative length
    ["feffffff0f0000000101", "does not end within the batch"], // 2^31 - 1
    ["0e00000001010000", "is not as long as its parts"],
    ["0c00000001010000", "bytes follow its last record"],
    ["14000000feffffff0f0101", "end within a number"], // a key of 2^31 - 1 bytes
    ["0c000000030100", "bytes have the length -2"],
    ["0c000000010300", "bytes have the length -2"],
    ["0c000000010101", "a record has -1 headers"],
    ["140000000101feffffff0f", "end within a number"], // 2^31 - 1 headers
    ["140000000101feffffff0f0000", "a header does not end within its record"],
    ["100000000101020101", "a header has no name"],
    ["0c000002010100", "record 0 of 1 has the offset 1"],
    ["0c000001010100", "record 0 of 1 has the offset -1"],
  ];
  for (const [hex, why] of cases) {
    const bytes = withBody(batch, Uint8Array.fromHex(hex));
    const { failure } = await readBatches(bytes, { from: 0 });
    assertStringIncludes(failure!.message, why);
  }
});

Deno.test("a length that is not a batch's is refused, whatever it is", async () => {
  for (const length of [-(2 ** 31), -13, -1, 0, 1, 4, 5, 48]) {
    const batch = await batchOf(few(), { baseOffset: 30 });
    new DataView(batch.buffer).setInt32(8, length);
    const { failure, next } = await readBatches(batch, { from: 31 });
    assertStringIncludes(failure!.message, "Cannot decode the record batch of offsets 31 to 33");
    assertEquals(next, 31);
  }
});

Deno.test("a compression that is not known is refused", async () => {
  for (const number of [5, 6, 7]) {
    const batch = await batchOf(few());
    batch[22]! |= number;
    const { failure } = await readBatches(seal(batch), { from: 0 });
    assertStringIncludes(failure!.message, `its compression has the number ${number}`);
  }
});

Deno.test("any bytes at all end in records, an error or a batch that is cut off", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (bytes, isFormat2) => {
      if (isFormat2 && bytes.length > 16) bytes[16] = 2;
      const { failure, missing, length, next } = await readBatches(bytes, { from: 5 });
      assertEquals([length, next], [0, 5]);
      assert(bytes.length === 0 || failure !== undefined || missing > 0);
    }),
    { numRuns: 2_000 },
  );
});
