/** Aborted transactions, and the marks of their ends, as a reader of a Topic meets them. */
import { assert, assertEquals } from "@std/assert";
import { jars } from "../../scripts/kafka/java.ts";
import { BytesCodec } from "../../src/codecs/bytes_codec.ts";
import type { Message } from "../../src/kafka/topic/message.ts";
import { Topic } from "../../src/kafka/topic/topic.ts";
import { FeedDriver } from "../_support/feed_driver.ts";
import { brokers, foreignClient, kafkaTest, unique } from "../_support/kafka.ts";
import { QUICK } from "../_support/topic_fixture.ts";

kafkaTest(
  "Topic delivers what interleaved transactions have committed, and counts the rest as read",
  async () => {
    const name = unique("mixed");
    // Fetches so small that a mark of an end stands alone in one.
    const options = { ...QUICK, brokers, groupId: name, maxBytesPerPartition: 1 };
    await using topic = new Topic(name, options);
    await topic.ensure({ partitions: 1 });
    const producers = [0, 1, 2].map((i) =>
      foreignClient().producer({ transactionalId: `${name}-${i}`, maxInFlightRequests: 1 })
    );
    for (const producer of producers) await producer.connect();
    const transactions = [];
    for (const producer of producers) transactions.push(await producer.transaction());
    // A key of four zero bytes is what kafkajs took for the mark of an aborted transaction.
    const key = "\0\0\0\0";
    for (let round = 0; round < 3; round++) {
      for (const [i, transaction] of transactions.entries()) {
        const messages = [{ key, value: `${i}.${round}`, partition: 0 }];
        await transaction.send({ topic: name, messages });
      }
    }
    await transactions[1]!.abort();
    await transactions[0]!.commit();
    await transactions[2]!.abort();
    for (const producer of producers) await producer.disconnect();
    await using driver = new FeedDriver(topic);
    await driver.feed.ready!();
    const caughtUp = () => [...driver.feed.parts!()].every((part) => part.caughtUp);
    while (!caughtUp() || driver.feed.lag!() !== 0) await topic.offsets();
    const values = driver.messages.map((message) => (message as { value: string }).value);
    assertEquals(values, ["0.0", "0.1", "0.2"]);
    await driver.commit();
    assertEquals((await topic.offsets()).get(0)?.committed, 12);
  },
);

const folderOfJars = brokers.length > 0 ? await jars() : undefined;

/** Runs a command and returns the lines that it prints. */
async function run(command: string, ...args: string[]): Promise<string[]> {
  const output = await new Deno.Command(command, { args, stdout: "piped", stderr: "piped" })
    .output();
  const decoder = new TextDecoder();
  if (!output.success) throw new Error(`${command} failed: ${decoder.decode(output.stderr)}`);
  return decoder.decode(output.stdout).trim().split("\n");
}

/** The program `Transactions.java`, compiled. */
class Program implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async compile(): Promise<Program> {
    const folder = await Deno.makeTempDir();
    const source = new URL("./Transactions.java", import.meta.url).pathname;
    await run("javac", "-cp", `${folderOfJars}/*`, "-d", folder, source);
    return new Program(folder);
  }

  /** Runs it and returns the lines that it prints. */
  run(command: "write" | "read", topic: string): Promise<string[]> {
    const classPath = ["-XX:TieredStopAtLevel=1", "-cp", `${folderOfJars}/*:${this.#folder}`];
    return run("java", ...classPath, "Transactions", command, brokers.join(), topic);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Deno.remove(this.#folder, { recursive: true });
  }
}

const hex = (bytes: Uint8Array | null) => bytes === null ? "null" : `x${bytes.toHex()}`;

/** Reads a topic with `options` up to some positions, as the Java program prints it. */
async function read(
  name: string,
  options: Partial<typeof QUICK> & { readonly maxBytesPerPartition?: number },
  positions: readonly string[],
): Promise<string[]> {
  await using topic = new Topic(name, {
    ...QUICK,
    ...options,
    brokers,
    groupId: unique("java"),
    codec: new BytesCodec(),
    keyCodec: new BytesCodec(),
  });
  await using driver = new FeedDriver(topic);
  await driver.feed.ready!();
  const committed = async () => {
    await driver.commit();
    return [...await topic.offsets()].map(([partition, it]) =>
      `position ${partition} ${it.committed}`
    );
  };
  const deadline = Date.now() + 40_000;
  let found = await committed();
  while (found.join() !== positions.join() && Date.now() < deadline) found = await committed();
  const messages = driver.messages as Message<unknown, unknown>[];
  const lines = messages.toSorted((a, b) => a.partition - b.partition).map((message) => {
    const { key, value } = message.record;
    return `${message.partition} ${message.offset} ${hex(key)} ${hex(value)}`;
  });
  return [...lines, ...found];
}

/** What a topic needs to be compacted soon. */
const COMPACTED = {
  "cleanup.policy": "compact",
  "segment.ms": "100",
  "min.cleanable.dirty.ratio": "0.001",
  "max.compaction.lag.ms": "100",
  "delete.retention.ms": "100",
};

kafkaTest(
  "Topic reads what Java's consumer reads, to the same positions, whole and compacted",
  async () => {
    await using program = await Program.compile();
    for (const config of [{}, COMPACTED]) await compare(program, unique("java"), config);
  },
  folderOfJars === undefined ? "Java or Maven is not installed" : undefined,
);

async function compare(
  program: Program,
  name: string,
  config: Record<string, string>,
): Promise<void> {
  await using topic = new Topic(name, { ...QUICK, brokers });
  await topic.ensure({ partitions: 4, config });
  const written = Number((await program.run("write", name)).at(-1));
  const isCompacted = config === COMPACTED;
  for (let before = await program.run("read", name), round = 0;; round++) {
    const positions = before.slice(-4);
    // Fetches so small that a mark of an end stands alone, and large ones.
    const small = await read(name, { maxBytesPerPartition: 1 }, positions);
    const large = await read(name, {}, positions);
    const after = isCompacted ? await program.run("read", name) : before;
    const records = after.length - positions.length;
    // What is compacted meanwhile is not compared.
    if (before.join() === after.join() && (!isCompacted || records < written / 4)) {
      assertEquals(small, before);
      assertEquals(large, before);
      assert(records > 20);
      return;
    }
    if (round === 10) throw new Error(`It is never compacted: there are ${records} records`);
    before = after;
  }
}
