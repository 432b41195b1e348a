/** What other clients write is read here, and the other way round: kcat (librdkafka) and the Java client. */
import { assertEquals } from "@std/assert";
import { jars } from "../../scripts/kafka/java.ts";
import type { Compression } from "../../src/kafka/client/broker.ts";
import { partitionOf } from "../../src/kafka/client/murmur2.ts";
import { tombstone } from "../../src/tombstone.ts";
import { Topic } from "../../src/kafka/topic/topic.ts";
import { brokers, kafkaTest, unique } from "../_support/kafka.ts";

const COMPRESSIONS: Compression[] = ["none", "gzip", "snappy", "lz4", "zstd"];
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Runs a program with text on its standard input and returns what it prints. */
async function run(command: string, args: string[], input = ""): Promise<string> {
  const child = new Deno.Command(command, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  })
    .spawn();
  const writer = child.stdin.getWriter();
  const writing = writer.write(encoder.encode(input)).then(() => writer.close());
  const [output] = await Promise.all([child.output(), writing]);
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!output.success) throw new Error(`${command} failed: ${decode(output.stderr)}`);
  return decode(output.stdout);
}

const noKcat = await run("kcat", ["-V"]).then(() => undefined, () => "kcat is not installed");
const folderOfJars = brokers.length > 0 ? await jars() : undefined;

function kcatTest(name: string, body: () => Promise<void>): void {
  kafkaTest(name, body, noKcat);
}

/** Values that compress well, and one that needs more than one block. */
const VALUES = [...Array.from({ length: 200 }, (_, i) => `value ${i} 🐟`), "x".repeat(200_000)];

for (const compression of COMPRESSIONS) {
  kcatTest(`Topic reads what kcat wrote with compression ${compression}`, async () => {
    await using topic = new Topic(unique("kcat"), {
      brokers,
      groupId: unique("kcat"),
      offset: "earliest",
    });
    await topic.ensure({ partitions: 1 });
    const lines = VALUES.map((value, i) => `key ${i}|${value}\n`).join("");
    const produce = ["-P", "-b", brokers.join(), "-t", topic.name, "-K|", "-z", compression];
    await run("kcat", [...produce, "-H", "source=kcat"], lines);
    const seen: string[] = [];
    for await (const { key, value, headers } of topic) {
      assertEquals(key, `key ${seen.length}`);
      assertEquals(headers.get("source"), encoder.encode("kcat"));
      seen.push(value);
      if (seen.length === VALUES.length) break;
    }
    assertEquals(seen, VALUES);
  });

  kcatTest(`kcat reads what Topic wrote with compression ${compression}`, async () => {
    await using topic = new Topic(unique("kcat"), { brokers, compression });
    await topic.ensure({ partitions: 1 });
    const headers = { source: "slipstream" };
    await Promise.all(VALUES.map((value, i) => topic.send({ key: `key ${i}`, value, headers })));
    const consume = ["-C", "-b", brokers.join(), "-t", topic.name, "-e", "-q"];
    const read = await run("kcat", [...consume, "-o", "beginning", "-f", "%k|%s|%h\n"]);
    const expected = VALUES.map((value, i) => `key ${i}|${value}|source=slipstream\n`);
    assertEquals(read, expected.join(""));
  });
}

kcatTest(
  "tombstones, keyless messages and repeated headers pass between Topic and kcat",
  async () => {
    await using topic = new Topic(unique("kcat"), {
      brokers,
      groupId: unique("kcat"),
      offset: "earliest",
    });
    await topic.ensure({ partitions: 1 });
    const headers = [["a", "1"], ["a", "2"], ["b", "é"]] as const;
    await topic.send({ key: "gone", value: tombstone });
    await topic.send({ value: "keyless", headers });
    const both = ["-b", brokers.join(), "-t", topic.name];
    const options = headers.flatMap(([name, value]) => ["-H", `${name}=${value}`]);
    await run("kcat", ["-P", ...both, "-K|", "-Z", ...options], "gone|\n|keyless\n");
    const format = ["-e", "-q", "-o", "beginning", "-f", "%K %k|%S %s|%h\n"];
    const read = (await run("kcat", ["-C", ...both, ...format])).trim().split("\n");
    const [gone, keyless, all] = ["4 gone|-1 |", "-1 |7 keyless|", "a=1,a=2,b=é"];
    assertEquals(read, [gone, keyless + all, gone + all, keyless + all]);
    const seen: unknown[] = [];
    for await (const { key, value, record } of topic) {
      seen.push([
        key,
        value,
        record.headers.map(([name, bytes]) => [name, decoder.decode(bytes!)]),
      ]);
      if (seen.length === 4) break;
    }
    const [deleted, text] = [["gone", tombstone], [null, "keyless"]];
    assertEquals(seen, [
      [...deleted, []],
      ...[text, deleted, text].map((m) => [...m, headers]),
    ]);
  },
);

const KEYS = Array.from({ length: 1_000 }, (_, i) => `${"kéy🐟".slice(0, i % 6)}${i * 7919}`);

if (folderOfJars === undefined) {
  Deno.test.ignore("partitions of 1,000 keys agree with the Java client's (no Java)", () => {});
} else {
  kafkaTest("partitions of 1,000 keys agree with the Java client's", async () => {
    const program = new URL("./Partitions.java", import.meta.url).pathname;
    const printed = await run("java", ["-cp", `${folderOfJars}/*`, program, "7"], KEYS.join("\n"));
    const partitions = printed.trim().split("\n").map(Number);
    assertEquals(KEYS.map((key) => partitionOf(encoder.encode(key), 7)), partitions);
  });
}
