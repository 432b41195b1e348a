/**
 * Batches of Java's own client are read here, and the other way round. `batches.txt` is what `Batches.java`
 * writes: it is read on every machine, and where there is Java, what Java writes now is read too.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { jars } from "../../../scripts/kafka/java.ts";
import type { ProducerRecord } from "../../../src/kafka/client/broker.ts";
import { readBatches } from "../../../src/kafka/records/batch_reader.ts";
import { all, batchOf, COMPRESSIONS, dump, NOW, read } from "../../_support/record_batches.ts";

const PROGRAM = new URL("./Batches.java", import.meta.url).pathname;
const encoder = new TextEncoder();

interface Recorded {
  readonly bytes: Uint8Array;
  /** What Java says that they hold. */
  readonly lines: string[];
}

function parse(text: string): Map<string, Recorded> {
  const recorded = new Map<string, Recorded>();
  let lines: string[] = [];
  for (const line of text.trim().split("\n")) {
    const [name, hex] = line.split(" ");
    if (name === "batch" || name === "record") lines.push(line);
    else recorded.set(name!, { bytes: Uint8Array.fromHex(hex!), lines: lines = [] });
  }
  return recorded;
}

const recorded = parse(await Deno.readTextFile(new URL("./batches.txt", import.meta.url)));

async function check(recorded: Map<string, Recorded>): Promise<void> {
  for (const name of [...COMPRESSIONS, "append-time", "holes", "transactions", "emptied"]) {
    const { bytes, lines } = recorded.get(name)!;
    assertEquals(dump(await read(bytes)), lines, name);
  }
}

Deno.test("readBatches() reads what the Java client writes", async () => await check(recorded));

Deno.test("readBatches() leaves out the transactions that the Java client has aborted", async () => {
  const aborted = [[2, 1], [1, 6], [2, 7], [2, 13]].map(([producerId, firstOffset]) => ({
    producerId: BigInt(producerId!),
    firstOffset: firstOffset!,
  }));
  const fetched = await read(recorded.get("transactions")!.bytes, { aborted });
  assertEquals(all(fetched).map(({ offset }) => offset), [0, 2, 12, 14]);
  assertEquals(fetched.next, 18);
});

Deno.test("readBatches() refuses messages of formats 0 and 1, with the offsets to go on after", async () => {
  for (const format of [0, 1]) {
    const { bytes } = recorded.get(`format-${format}`)!;
    for (const part of [bytes, bytes.subarray(0, 40)]) {
      const { failure, next } = await readBatches(part, { from: 20 });
      assertStringIncludes(failure!.message, `the topic holds messages of format ${format}`);
      assertEquals([next, failure!.firstOffset, failure!.lastOffset], [20, 22, 22]);
    }
  }
});

/** Runs the program with lines on its standard input, and returns what it prints. */
async function java(jars: string, command: string, lines: string[] = []): Promise<string> {
  const args = ["-cp", `${jars}/*`, PROGRAM, command];
  const child = new Deno.Command("java", { args, stdin: "piped", stdout: "piped", stderr: "piped" })
    .spawn();
  const writer = child.stdin.getWriter();
  const writing = writer.write(encoder.encode(lines.join("\n"))).then(() => writer.close());
  const [output] = await Promise.all([child.output(), writing]);
  const decoder = new TextDecoder();
  if (!output.success) throw new Error(`java failed: ${decoder.decode(output.stderr)}`);
  return decoder.decode(output.stdout);
}

const folder = await jars();

function javaTest(name: string, body: (jars: string) => Promise<void>): void {
  if (folder === undefined) Deno.test.ignore(`${name} (no Java)`, () => {});
  else Deno.test(name, () => body(folder));
}

javaTest("readBatches() reads what this machine's Java client writes", async (jars) => {
  await check(parse(await java(jars, "write")));
});

javaTest("the Java client reads what writeBatch() writes", async (jars) => {
  let seed = 3;
  const random = (below: number) => {
    seed = Math.imul(seed, 1103515245) + 12345 >>> 0;
    return Math.floor(seed / 2 ** 32 * below);
  };
  const bytes = (i: number) => {
    const kind = random(7);
    if (kind === 0) return null;
    if (kind === 1) return new Uint8Array(random(i % 50 === 0 ? 300_000 : 90));
    if (kind === 2) {
      return Uint8Array.from({ length: random(i % 50 === 1 ? 90_000 : 300) }, () => random(256));
    }
    return encoder.encode(`{"user":"u${random(1_000)}","note":"order ${"0".repeat(random(60))}"}`);
  };
  const times = [undefined, 0, NOW - 5, NOW + 2 ** 33, 2 ** 53 - 1];
  const batches: Uint8Array[] = [];
  for (const compression of COMPRESSIONS) {
    for (const count of [1, 2, 400]) {
      const records = Array.from({ length: count }, (_, i): ProducerRecord => ({
        key: bytes(i),
        value: bytes(i),
        headers: Array.from(
          { length: random(3) === 0 ? random(4) : 0 },
          (_, h) => [`é☂${h}`, bytes(2)],
        ),
        timestamp: times[random(times.length)],
      }));
      const producer = { producerId: 2n ** 40n, producerEpoch: 7, baseSequence: 2 ** 31 - 1 };
      const options = {
        compression,
        baseOffset: count === 1 ? 0 : 2 ** 50,
        producer,
        isTransactional: count === 2,
      };
      batches.push(await batchOf(records, options));
    }
  }
  const expected: string[] = [];
  for (const batch of batches) expected.push(...dump(await read(batch)));
  const printed = await java(jars, "read", batches.map((batch) => batch.toHex()));
  assertEquals(printed.trim().split("\n"), expected);
});
