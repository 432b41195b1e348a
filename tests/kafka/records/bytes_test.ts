import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ByteReader } from "../../../src/kafka/records/byte_reader.ts";
import {
  ByteWriter,
  sizeOfNullable,
  sizeOfVarint,
  sizeOfVarlong,
} from "../../../src/kafka/records/byte_writer.ts";
import { crc32c } from "../../../src/kafka/records/crc32c.ts";

const MOST = Number.MAX_SAFE_INTEGER;
/** Numbers around the powers of two, where lengths change. */
const edge = fc.tuple(fc.nat(53), fc.integer({ min: -2, max: 2 }), fc.constantFrom(1, -1))
  .map(([power, near, sign]) => Math.max(-MOST, Math.min(MOST, sign * (2 ** power + near))));

function written(write: (to: ByteWriter) => void): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  write(writer);
  return writer.written.slice();
}

Deno.test("crc32c() agrees with the vectors of RFC 3720", () => {
  const vectors: [Uint8Array, number][] = [
    [new TextEncoder().encode("123456789"), 0xe3069283],
    [new Uint8Array(32), 0x8a9136aa],
    [new Uint8Array(32).fill(255), 0x62a8ab43],
    [Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    [Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
    [new Uint8Array(), 0],
  ];
  for (const [bytes, sum] of vectors) assertEquals(crc32c(bytes) >>> 0, sum);
});

Deno.test("crc32c() of a part is that of the part alone", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(60), fc.nat(60), (bytes, a, b) => {
    const [from, to] = [Math.min(a, b, bytes.length), Math.min(Math.max(a, b), bytes.length)];
    assertEquals(crc32c(bytes, from, to), crc32c(bytes.slice(from, to)));
  }));
});

Deno.test("ByteWriter.varlong() writes safe integers that ByteReader.varlong() reads", () => {
  fc.assert(fc.property(fc.oneof(edge, fc.maxSafeInteger()), (n) => {
    const bytes = written((to) => to.varlong(n));
    const reader = new ByteReader(bytes);
    assertEquals(reader.varlong(), n);
    assertEquals([reader.at, sizeOfVarlong(n)], [bytes.length, bytes.length]);
    const zigzag = BigInt.asUintN(64, n < 0 ? -2n * BigInt(n) - 1n : 2n * BigInt(n));
    const value = bytes.reduceRight((sum, byte) => sum << 7n | BigInt(byte & 127), 0n);
    assertEquals(value, zigzag);
  }));
});

Deno.test("ByteWriter.varint() writes what ByteReader.varint() reads", () => {
  const n = fc.oneof(edge, fc.nat()).filter((n) => n >= 0 && n < 2 ** 31);
  fc.assert(fc.property(n, (n) => {
    const bytes = written((to) => to.varint(n));
    const reader = new ByteReader(bytes);
    assertEquals([reader.varint(), reader.at, sizeOfVarint(n)], [n, bytes.length, bytes.length]);
  }));
});

Deno.test("ByteReader.varint() reads negative numbers, and refuses more than 32 bits", () => {
  const read = (hex: string) => new ByteReader(Uint8Array.fromHex(hex)).varint();
  assertEquals(["01", "03", "ffffffff0f", "feffffff0f"].map(read), [
    -1,
    -2,
    -(2 ** 31),
    2 ** 31 - 1,
  ]);
  for (const hex of ["ffffffff10", "ffffffff8f01", "8080808080808000"]) {
    assertThrows(() => read(hex), RangeError, "more than 32 bits");
  }
});

Deno.test("ByteReader.varlong() refuses more than 64 bits, and values that are not a safe integer", () => {
  const read = (hex: string) => new ByteReader(Uint8Array.fromHex(hex)).varlong();
  assertThrows(() => read("ffffffffffffffffff02"), RangeError, "more than 64 bits");
  assertThrows(() => read("ffffffffffffffffff8100"), RangeError, "more than 64 bits");
  assertThrows(() => read("ffffffffffffffffff01"), RangeError, "past 2^53"); // -2^63
  assertThrows(() => read("80808080808080a000"), RangeError, "past 2^53"); // 2^53
  assertEquals(read("feffffffffffff1f"), 2 ** 52 - 1 + 2 ** 52);
});

Deno.test("ByteReader reads nothing outside of the bytes", () => {
  for (const hex of ["", "80", "ffff", "ffffffff", "ffffffffffffffffff"]) {
    // What follows in the same buffer must not be read either.
    const bytes = Uint8Array.fromHex(`${hex}0102030405060708`).subarray(0, hex.length / 2);
    assertThrows(() => new ByteReader(bytes).varint(), RangeError);
    assertThrows(() => new ByteReader(bytes).varlong(), RangeError, "end within a number");
  }
});

Deno.test("ByteWriter.int64() and bigInt64() write what a DataView reads", () => {
  fc.assert(
    fc.property(
      fc.oneof(edge, fc.maxSafeInteger()),
      fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
      (n, big) => {
        const view = new DataView(
          written((to) => {
            to.int64(n);
            to.bigInt64(big);
          }).buffer,
        );
        assertEquals([view.getBigInt64(0), view.getBigInt64(8)], [BigInt(n), big]);
      },
    ),
  );
});

Deno.test("ByteWriter.nullable() writes as many bytes as sizeOfNullable() tells", () => {
  for (const bytes of [null, ...[0, 24, 25, 63, 64, 8192, 60_000].map((n) => new Uint8Array(n))]) {
    assertEquals(written((to) => to.nullable(bytes)).length, sizeOfNullable(bytes));
  }
});

Deno.test("ByteWriter.reset() begins anew, and lets a large buffer go", () => {
  const writer = new ByteWriter();
  writer.reserve(1 << 23);
  writer.int8(1);
  writer.reset();
  assertEquals([writer.at, writer.bytes.length < 1 << 23], [0, true]);
});

Deno.test("ByteWriter.string() refuses a text that is too long for its length", () => {
  const writer = new ByteWriter();
  assertThrows(
    () => writer.string("x".repeat(0x8000)),
    RangeError,
    "Cannot write a text of 32768 bytes",
  );
});
