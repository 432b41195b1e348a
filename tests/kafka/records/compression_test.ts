import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import zlib from "node:zlib";
import { compressors } from "../../../src/kafka/records/compression/compressors.ts";
import { xxh32 } from "../../../src/kafka/records/compression/xxh32.ts";
import { joined } from "../../_support/record_batches.ts";

const MB = 2 ** 20, MOST = 64 * MB;
const names = ["gzip", "snappy", "lz4", "zstd"] as const;
const encoder = new TextEncoder();
const { snappy, lz4, gzip, zstd } = compressors;

/** What the Java client's libraries wrote: an LZ4 frame with all checksums, a snappy block. */
const recorded = new Map(
  (await Deno.readTextFile(new URL("./batches.txt", import.meta.url))).split("\n")
    .map((line) => line.split(" "))
    .map(([name, hex]) => [name!, hex!] as const),
);
/** A frame with flipped bits. */
const DAMAGED =
  "04224d186070733501000090726563307c726563310500103205001033050010340500103505001036050010370500103805001039050012313300013400113135001131360011313700113138001131390011313a0011313b0011313c0011323c0011323c0011323c0011323c0011323c0011323c0011323c0011323c0011323c0011323c0011333c0011333c0011333c0011333c0011333c0011333c0011333c0011333c0011333c0011333c0011343c0011343c0011343c0011343c0011343c0011343c0011343c0011343c0011343c0011343c00013b00013a000139000238000009010136000135000134000133000132000f2201ffffffffffffffffffffffffffffffffffffffffffffffffd1ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffca50726563343900000063";
const TEXT = encoder.encode("value 🐟, ".repeat(9_000));

/** Bytes in which some come again, near or far, of lengths where blocks begin and end. */
const content = fc.tuple(
  fc.oneof(
    fc.nat(40),
    fc.nat(3_000),
    fc.tuple(fc.constantFrom(32_768, 65_536, 131_072), fc.integer({ min: -20, max: 20 }))
      .map(([length, near]) => length + near),
  ),
  fc.constantFrom(1, 2, 4, 12, 256),
  fc.nat(),
).map(([length, letters, seed]) => {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length;) {
    seed = Math.imul(seed, 1103515245) + 12345 >>> 0;
    const back = seed % 40_000;
    if (seed % 3 === 0 && i > back) {
      const run = Math.min(length - i, 1 + seed % 100);
      for (let j = 0; j < run; j++, i++) bytes[i] = bytes[i - back - 1]!;
    } else {
      bytes[i++] = (seed >>> 16) % letters;
    }
  }
  return bytes;
});

for (const name of names) {
  const { compress, decompress } = compressors[name];

  Deno.test(`${name} decompresses what it compressed`, async () => {
    await fc.assert(
      fc.asyncProperty(content, async (bytes) => {
        const compressed = await compress(bytes);
        const decompressed = await decompress(compressed.slice(), bytes.length + 1);
        if (
          decompressed.length !== bytes.length || bytes.some((byte, i) => byte !== decompressed[i])
        ) {
          throw new Error(`${bytes.length} bytes have changed`);
        }
      }),
      { numRuns: 200 },
    );
  });

  Deno.test(`${name} makes what comes again shorter`, async () => {
    const compressed = await compress(TEXT);
    assertEquals(compressed.length < TEXT.length / 15, true);
  });

  Deno.test(`${name} refuses what becomes larger than allowed`, async () => {
    for (const size of [1_000, 100_000, 9 * MB]) {
      const compressed = await compress(new Uint8Array(size));
      assertEquals((await decompress(compressed, size)).length, size);
      await assertRejects(
        async () => await decompress(compressed, size - 1),
        RangeError,
        `it would have more than ${size - 1} bytes when decompressed`,
      );
    }
  });

  Deno.test(`${name} leaves others their turns while it works on many megabytes`, async () => {
    const bytes = new Uint8Array(24 * MB);
    for (let i = 0; i < bytes.length; i++) bytes[i] = i * i >>> 7;
    let compressed: Uint8Array;
    for (const work of [() => compress(bytes), () => decompress(compressed, MOST)]) {
      let turns = 0, isOver = false;
      const turn = () => {
        turns++;
        if (!isOver) setImmediate(turn);
      };
      setImmediate(turn);
      const result = await work();
      isOver = true;
      compressed = result;
      assertEquals(turns >= 12, true, `${turns} turns`);
    }
  });
}

Deno.test("bombs are refused, and what they claim is not allocated", async () => {
  const zeros = new Uint8Array(200 * MB);
  for (
    const [{ decompress }, bomb] of [[gzip, zlib.gzipSync(zeros)], [
      zstd,
      zlib.zstdCompressSync(zeros),
    ]] as const
  ) {
    await assertRejects(
      async () => await decompress(bomb, MOST),
      RangeError,
      "it would have more than",
    );
  }
  // Blocks that claim 64 MB, and 4 GB, in ten bytes; one of which it is true is refused too.
  for (const claim of ["ffffff1ffefefefefefe", "ffffffff0ffefefefefe"]) {
    assertThrows(() => snappy.decompress(Uint8Array.fromHex(claim), MOST), RangeError);
  }
  const whole = await snappy.compress(zeros);
  assertThrows(() => snappy.decompress(whole, MOST), RangeError, "it would have more than");
  const frame = await lz4.compress(zeros);
  await assertRejects(
    async () => await lz4.decompress(frame, MOST),
    RangeError,
    "it would have more than",
  );
});

Deno.test("xxh32() agrees with the vectors of xxHash", () => {
  const vectors: [string, number][] = [
    ["", 0x02cc5d05],
    ["a", 0x550d7456],
    ["abc", 0x32d153ff],
    ["Nobody inspects the spammish repetition", 0xe2293b2f],
  ];
  for (const [text, hash] of vectors) assertEquals(xxh32(encoder.encode(text)) >>> 0, hash);
});

Deno.test("lz4 reads frames with every checksum, and finds each flipped bit of them", async () => {
  const frame = Uint8Array.fromHex(recorded.get("lz4-checksums")!);
  assertEquals(await lz4.decompress(frame, MOST), TEXT);
  for (let bit = 0; bit < 8 * frame.length; bit++) {
    const flipped = frame.slice();
    flipped[bit >>> 3]! ^= 1 << (bit & 7);
    await assertRejects(async () => await lz4.decompress(flipped, MOST), RangeError);
  }
});

Deno.test("lz4 refuses frames that are cut off, or followed by bytes", async () => {
  const frame = Uint8Array.fromHex(recorded.get("lz4-checksums")!);
  for (let end = 0; end < frame.length; end++) {
    await assertRejects(async () => await lz4.decompress(frame.subarray(0, end), MOST), RangeError);
  }
  await assertRejects(
    async () => await lz4.decompress(joined(frame, new Uint8Array(1)), MOST),
    RangeError,
    "bytes follow its lz4 frame",
  );
});

Deno.test("lz4 refuses dependent blocks, dictionaries and flags that are not known", async () => {
  const frame = new Uint8Array(await lz4.compress(TEXT));
  const refused: [flags: number, descriptor: number, why: string][] = [
    [0x40, 0x40, "depend on each other"],
    [0x61, 0x40, "needs a dictionary"],
    [0x62, 0x40, "not known"],
    [0x20, 0x40, "not known"],
    [0x60, 0x30, "not known"],
    [0x60, 0xc0, "not known"],
    [0x60, 0x41, "not known"],
  ];
  for (const [flags, descriptor, why] of refused) {
    frame.set([flags, descriptor], 4);
    frame[6] = xxh32(frame.subarray(4, 6)) >>> 8;
    await assertRejects(async () => await lz4.decompress(frame, MOST), RangeError, why);
  }
});

Deno.test("snappy reads a block without framing, cut off nowhere", async () => {
  const block = Uint8Array.fromHex(recorded.get("snappy-block")!);
  assertEquals(await snappy.decompress(block, MOST), TEXT);
  for (let end = 0; end < block.length; end++) {
    await assertRejects(
      async () => await snappy.decompress(block.subarray(0, end), MOST),
      RangeError,
    );
  }
});

Deno.test("snappy reads every element of its format", async () => {
  const literal = (length: number, extra: number) => {
    const tag = [(59 + extra) << 2];
    for (let i = 0; i < extra; i++) tag.push((length - 1) >>> 8 * i & 255);
    return joined(Uint8Array.from(tag), Uint8Array.from({ length }, (_, i) => i));
  };
  const parts = [
    Uint8Array.of(0, 7), // a literal of one byte
    ...[1, 2, 3, 4].map((extra) => literal(70, extra)),
    Uint8Array.of(3 << 2 | 1 | 1 << 5, 0x05), // seven bytes from 261 back
    Uint8Array.of(63 << 2 | 2, 1, 0), // 64 bytes from one back
    Uint8Array.of(0 << 2 | 3, 70, 0, 0, 0), // a byte from 70 back
  ];
  const block = joined(Uint8Array.of(0xe1, 2), ...parts);
  const expected = [7];
  for (let i = 0; i < 4; i++) expected.push(...Array.from({ length: 70 }, (_, i) => i));
  const copy = (length: number, offset: number) => {
    for (let i = 0; i < length; i++) expected.push(expected.at(-offset)!);
  };
  copy(7, 261);
  copy(64, 1);
  copy(1, 70);
  block.set([expected.length & 127 | 128, expected.length >>> 7]);
  assertEquals(await snappy.decompress(block, MOST), Uint8Array.from(expected));
});

Deno.test("snappy refuses copies from before the beginning of a block", async () => {
  const first = "0a" + "24" + "00".repeat(10); // ten bytes, as a literal
  const second = "04" + "01" + "05"; // four bytes, from five back: they would be the first block's
  const head = "82534e41505059000000000100000001";
  const bytes = Uint8Array.fromHex(head + "0000000c" + first + "00000003" + second);
  await assertRejects(
    async () => await snappy.decompress(bytes, MOST),
    RangeError,
    "outside of itself",
  );
});

Deno.test("inputs that hang other libraries, or give wrong data, are refused", async () => {
  // Seven bytes on which snappyjs never ends.
  const endless = Uint8Array.fromHex("05fcfaffffff00");
  await assertRejects(async () => await snappy.decompress(endless, MOST), RangeError);
  // A flipped byte makes a length of a match of 10 KB in place of 300 bytes: lz4js returned wrong data after 10 s.
  const damaged = Uint8Array.fromHex(DAMAGED);
  await assertRejects(async () => await lz4.decompress(damaged, MOST), RangeError, "damaged");
});

Deno.test("zstd that is damaged behind its first output is an error, and does not end the process", async () => {
  // Four blocks of the same 128 KB, and one of a type that there is not.
  const damaged = Uint8Array.fromHex("28b52ffd0058" + "02001061".repeat(4) + "0e000000");
  await assertRejects(async () => await zstd.decompress(damaged, MOST), Error, "Zstd");
  const followed = joined(await zstd.compress(TEXT), new Uint8Array(3));
  await assertRejects(async () => await zstd.decompress(followed, MOST), Error);
});

Deno.test("gzip and zstd read what was compressed in parts", async () => {
  for (const { compress, decompress } of [gzip, zstd]) {
    const parts = [TEXT, new Uint8Array(), TEXT.subarray(7), new Uint8Array(200_000)];
    const compressed = await Promise.all(parts.map(async (part) => await compress(part)));
    assertEquals(await decompress(joined(...compressed), MOST), joined(...parts));
  }
});

Deno.test("snappy and lz4 go on after many thousand damaged inputs", async () => {
  for (const { compress, decompress } of [snappy, lz4]) {
    const good = await compress(TEXT.subarray(0, 9_000));
    for (let i = 0; i < 20_000; i++) {
      const bad = good.slice();
      bad[17 + i % (good.length - 17)]! ^= 0xff;
      await Promise.resolve().then(() => decompress(bad, MOST)).catch((error) => {
        if (!(error instanceof RangeError)) throw error;
      });
    }
    assertEquals(await decompress(good, MOST), TEXT.subarray(0, 9_000));
  }
});
