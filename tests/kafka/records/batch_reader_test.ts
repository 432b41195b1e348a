import { assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import type { ProducerRecord } from "../../../src/kafka/client/broker.ts";
import { readBatches } from "../../../src/kafka/records/batch_reader.ts";
import { UndecodableBatchError } from "../../../src/kafka/records/undecodable_batch_error.ts";
import { all, batchOf, joined, seal } from "../../_support/record_batches.ts";

const encoder = new TextEncoder(), decoder = new TextDecoder();

function records(...values: string[]): ProducerRecord[] {
  return values.map((value) => ({ key: null, value: encoder.encode(value), headers: [] }));
}

function texts(fetched: Parameters<typeof all>[0]): string[] {
  return all(fetched).map(({ value }) => decoder.decode(value!));
}

/** A batch of a transaction. */
function part(producerId: number, baseOffset: number, ...values: string[]) {
  const producer = { producerId: BigInt(producerId), producerEpoch: 0, baseSequence: 0 };
  return batchOf(records(...values), { baseOffset, producer, isTransactional: true });
}

/** A marker that ends one. */
async function marker(producerId: number, baseOffset: number, type: "abort" | "commit") {
  const key = new Uint8Array([0, 0, 0, type === "abort" ? 0 : 1]);
  const producer = { producerId: BigInt(producerId), producerEpoch: 0, baseSequence: -1 };
  const record = { key, value: new Uint8Array(6), headers: [] };
  const batch = await batchOf([record], { baseOffset, producer, isTransactional: true });
  batch[22]! |= 32;
  return seal(batch);
}

/** A batch whose records compaction has removed. */
async function emptied(baseOffset: number, lastOffset: number) {
  const batch = (await batchOf(records("a"), { baseOffset })).slice(0, 61);
  const view = new DataView(batch.buffer);
  view.setInt32(8, 49);
  view.setInt32(23, lastOffset - baseOffset);
  view.setInt32(57, 0);
  return seal(batch);
}

Deno.test("readBatches() reads nothing from no bytes", () => {
  const fetched = readBatches(new Uint8Array(), { from: 7 });
  assertEquals(fetched instanceof Promise, false);
  const { length, bytes, next, batches, failure, missing } = fetched as Awaited<typeof fetched>;
  assertEquals({ length, bytes, next, batches, failure, missing }, {
    length: 0,
    bytes: 0,
    next: 7,
    batches: [],
    failure: undefined,
    missing: 0,
  });
});

Deno.test("readBatches() leaves out what lies before the position", async () => {
  const bytes = joined(
    await batchOf(records("a", "b"), { baseOffset: 10 }),
    await batchOf(records("c", "d"), { baseOffset: 12 }),
  );
  const fetched = await readBatches(bytes, { from: 13 });
  assertEquals([texts(fetched), fetched.next, fetched.bytes], [["d"], 14, 1]);
});

Deno.test("readBatches() returns records in any order of indexes, and none outside the list", async () => {
  const bytes = joined(
    await batchOf(records("a", "b"), { baseOffset: 0 }),
    await emptied(2, 9),
    await batchOf(records("c"), { baseOffset: 10 }),
    await batchOf(records("d", "e"), { baseOffset: 11 }),
  );
  const fetched = await readBatches(bytes, { from: 0 });
  for (const i of [4, 0, 3, 1, 2, 2, 4]) {
    assertEquals(decoder.decode(fetched.at(i)!.value!), "abcde"[i]);
  }
  assertEquals([-1, 5, NaN].map((i) => fetched.at(i)), [undefined, undefined, undefined]);
});

Deno.test("readBatches() moves past a batch that compaction has emptied, also one that stands alone", async () => {
  const fetched = await readBatches(await emptied(40, 49), { from: 42 });
  assertEquals([fetched.length, fetched.next, fetched.batches[0]!.count], [0, 50, 0]);
});

Deno.test("readBatches() moves past a marker that stands alone", async () => {
  for (const type of ["abort", "commit"] as const) {
    const fetched = await readBatches(await marker(1, 9, type), { from: 9 });
    assertEquals([fetched.length, fetched.next], [0, 10]);
    assertEquals(fetched.batches[0]!.isControl, true);
  }
});

Deno.test("readBatches() leaves out the records of aborted transactions, and no others", async () => {
  const bytes = joined(
    await part(1, 0, "1 aborted"),
    await part(2, 1, "2 committed"),
    await batchOf(records("alone"), { baseOffset: 2 }),
    await part(1, 3, "1 aborted too"),
    await marker(1, 4, "abort"),
    await part(1, 5, "1 committed"),
    await marker(2, 6, "commit"),
    await marker(1, 7, "commit"),
    await part(2, 8, "2 aborted"),
    await part(1, 9, "1 aborted again"),
  );
  const aborted = [[1, 9], [2, 8], [1, 0]].map(([producerId, firstOffset]) => ({
    producerId: BigInt(producerId!),
    firstOffset: firstOffset!,
  }));
  const committed = await readBatches(bytes, { from: 0, aborted });
  assertEquals(texts(committed), ["2 committed", "alone", "1 committed"]);
  assertEquals([committed.next, committed.batches.length], [10, 10]);
  const everything = await readBatches(bytes, { from: 0 });
  assertEquals(everything.length, 7);
});

Deno.test("readBatches() leaves out the end of a transaction that was aborted before the position", async () => {
  const bytes = joined(await part(1, 20, "a", "b"), await marker(1, 22, "abort"));
  const aborted = [{ producerId: 1n, firstOffset: 3 }];
  const fetched = await readBatches(bytes, { from: 21, aborted });
  assertEquals([fetched.length, fetched.next], [0, 23]);
});

Deno.test("readBatches() does not decompress what it leaves out", async () => {
  const damaged = await part(1, 0, "a");
  damaged[22]! |= 2;
  const bytes = joined(seal(damaged), await part(2, 1, "b"));
  const aborted = [{ producerId: 1n, firstOffset: 0 }];
  assertEquals(texts(await readBatches(bytes, { from: 0, aborted })), ["b"]);
});

Deno.test("readBatches() leaves out a batch that is cut off, and tells how many bytes it lacks", async () => {
  const first = await batchOf(records("a"), { baseOffset: 0 });
  const second = await batchOf(records("b"), { baseOffset: 1 });
  const bytes = joined(first, second);
  for (let end = 0; end < bytes.length; end++) {
    const { failure, length, next, missing } = await readBatches(bytes.subarray(0, end), {
      from: 0,
    });
    const whole = end >= first.length ? 1 : 0;
    assertEquals([failure, length, next], [undefined, whole, whole]);
    const rest = end - whole * first.length;
    if (rest === 0) assertEquals(missing, 0);
    else if (rest > 16) assertEquals(missing, first.length - rest);
    else assertEquals(missing > 0 && missing <= first.length - rest, true);
  }
});

Deno.test("readBatches() stops at a batch that cannot be decoded, and tells where to go on", async () => {
  const first = await batchOf(records("a"), { baseOffset: 0 });
  const damaged = await batchOf(records("b", "c", "d"), { baseOffset: 1 });
  damaged[70]! ^= 1;
  const last = await batchOf(records("e"), { baseOffset: 4 });
  const fetched = await readBatches(joined(first, damaged, last), { from: 0 });
  assertEquals([texts(fetched), fetched.next], [["a"], 1]);
  const { failure } = fetched;
  assertInstanceOf(failure, UndecodableBatchError);
  assertEquals(
    failure.message,
    "Cannot decode the record batch of offsets 1 to 3: its checksum is wrong",
  );
  assertEquals([failure.firstOffset, failure.lastOffset, failure.bytes], [1, 3, damaged]);
  // A broker that is asked for the offset after it begins with the batch that holds it.
  assertEquals(texts(await readBatches(last, { from: failure.lastOffset + 1 })), ["e"]);
});

Deno.test("the offsets of an undecodable batch end before the batch that follows, and before the end", async () => {
  const damaged = await batchOf(records("b"), { baseOffset: 10 });
  new DataView(damaged.buffer).setInt32(23, 2 ** 30);
  const last = await batchOf(records("e"), { baseOffset: 14 });
  const lastOffset = async (bytes: Uint8Array, from: number, end?: number) =>
    (await readBatches(bytes, { from, end })).failure!.lastOffset;
  assertEquals(await lastOffset(joined(damaged, last), 0), 13);
  assertEquals(await lastOffset(damaged, 0, 12), 11);
  assertEquals(await lastOffset(damaged, 0), 10 + 2 ** 30);
  // Nor does it begin behind the end.
  const elsewhere = damaged.slice();
  new DataView(elsewhere.buffer).setBigInt64(0, 2n ** 50n);
  const { firstOffset } = (await readBatches(elsewhere, { from: 10, end: 20 })).failure!;
  assertEquals([firstOffset, await lastOffset(elsewhere, 10, 20)], [19, 19]);
  // It never ends before the position: who passes it gets on.
  assertEquals(await lastOffset(damaged, 11, 12), 11);
  new DataView(damaged.buffer).setInt32(23, -1);
  assertEquals(await lastOffset(damaged, 12, 12), 12);
});

Deno.test("readBatches() refuses offsets past 2^53", async () => {
  for (const [baseOffset, lastDelta] of [[2n ** 53n, 0], [2n ** 53n - 1n, 0], [-1n, 0]] as const) {
    const batch = await batchOf(records("a"));
    const view = new DataView(batch.buffer);
    view.setBigInt64(0, baseOffset);
    view.setInt32(23, lastDelta);
    const { failure, length } = await readBatches(seal(batch), { from: 0 });
    assertInstanceOf(failure, UndecodableBatchError);
    assertEquals(length, 0);
  }
});

Deno.test("readBatches() refuses times past 2^53", async () => {
  const base = await batchOf(records("a"));
  new DataView(base.buffer).setBigInt64(27, 2n ** 60n);
  const failure = (await readBatches(seal(base), { from: 0 })).failure!;
  assertStringIncludes(failure.message, "a number past 2^53");
  const sum = await batchOf([{ key: null, value: null, headers: [] }, {
    key: null,
    value: null,
    headers: [],
    timestamp: 2 ** 53 - 1,
  }]);
  new DataView(sum.buffer).setBigInt64(27, 2n ** 52n);
  assertStringIncludes(
    (await readBatches(seal(sum), { from: 0 })).failure!.message,
    "record 1 of 2 has a time past 2^53",
  );
});

Deno.test("readBatches() refuses batches whose offsets go back", async () => {
  const bytes = joined(
    await batchOf(records("a", "b"), { baseOffset: 5 }),
    await batchOf(records("c"), { baseOffset: 6 }),
  );
  const { failure, next } = await readBatches(bytes, { from: 0 });
  assertStringIncludes(failure!.message, "before the end of the one before");
  assertEquals([next, failure!.firstOffset, failure!.lastOffset], [7, 7, 7]);
});
