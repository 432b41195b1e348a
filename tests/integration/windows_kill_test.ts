import { assert, assertEquals } from "@std/assert";
import { JsonCodec } from "../../mod.ts";
import { Topic } from "../../src/kafka/mod.ts";
import { Random } from "../../src/testing/mod.ts";
import { brokers, kafkaTest, unique } from "../_support/kafka.ts";
import { temporaryFolder } from "../_support/temporary.ts";

const KILLS = 10;
const PARTITIONS = 4;
/** Messages that are sent during each life of the program. */
const BATCH = 1_000;
const SIZE = 200;
const OUT_OF_ORDER = 100;

interface Result {
  readonly revision: number;
  readonly final: boolean;
  readonly value: number[];
}

kafkaTest("windows over a topic are the truth though the program is killed ten times", async () => {
  await using folder = await temporaryFolder();
  const [input, output] = [unique("windows-in"), unique("windows-out")];
  await using source = new Topic(input, { brokers });
  await using sink = new Topic(output, {
    brokers,
    groupId: output,
    offset: "earliest",
    codec: new JsonCodec<Result>(),
  });
  await source.ensure({ partitions: PARTITIONS });
  await sink.ensure({ partitions: 1 });

  const path = `${folder.path}/state`;
  const random = new Random(3);
  const sent: { key: string; partition: number; timestamp: number }[] = [];
  let time = Date.now() - 1_000_000;
  const produce = async () => {
    const sends: Promise<unknown>[] = [];
    for (let n = 0; n < BATCH; n++) {
      // In each partition, no message is further behind than the windows wait for.
      time += random.integer(5);
      const partition = random.integer(PARTITIONS);
      const message = {
        key: `key ${partition} ${random.integer(5)}`,
        partition,
        timestamp: time - random.integer(OUT_OF_ORDER),
      };
      sends.push(source.send({ ...message, value: `${sent.length}` }));
      sent.push(message);
    }
    await Promise.all(sends);
  };
  let kills = 0;
  for (let life = 0; life < KILLS; life++) {
    // While more comes in a moment, silence says nothing.
    using program = start(input, output, path, "hold");
    const producing = produce();
    await program.started;
    await new Promise((resolve) => setTimeout(resolve, random.integer(700)));
    program.kill("SIGKILL");
    if ((await program.status).signal === "SIGKILL") kills++;
    await producing;
  }
  assertEquals(kills, KILLS);

  await using _last = start(input, output, path, "advance");
  const want = new Map<string, number[]>();
  sent.forEach(({ key, partition, timestamp }, number) => {
    const id = `${partition}/${encodeURIComponent(key)}/${timestamp - timestamp % SIZE}`;
    want.getOrInsertComputed(id, () => []).push(number);
  });
  // Input has stopped: the last windows close by silence. Reads until all have been given.
  const contents = new Map<string, string>();
  const table = new Map<string, Result>();
  for await (const { key, value } of sink) {
    const name = `${key} ${value.revision}`;
    const content = JSON.stringify(value);
    assertEquals(contents.get(name) ?? content, content); // one content
    contents.set(name, content);
    assert(value.final);
    if ((table.get(key!)?.revision ?? 0) <= value.revision) table.set(key!, value);
    if (table.size === want.size) break;
  }
  for (const [id, numbers] of want) {
    assertEquals(table.get(id)?.value.toSorted((a, b) => a - b), numbers, id);
  }
});

/** Starts the program; `started` resolves when it reads. */
function start(...args: string[]) {
  const script = new URL("../_support/windows_topic_program.ts", import.meta.url).href;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--unstable-kv", script, brokers.join(","), ...args],
    stdout: "piped",
  }).spawn();
  const told = Promise.withResolvers<void>();
  const reading = child.stdout.pipeTo(new WritableStream({ write: () => told.resolve() }));
  return {
    started: Promise.race([told.promise, reading]),
    status: child.status.then(async (status) => {
      await reading;
      return status;
    }),
    kill: (signal: Deno.Signal) => child.kill(signal),
    async [Symbol.asyncDispose]() {
      this[Symbol.dispose]();
      await this.status;
    },
    [Symbol.dispose]() {
      try {
        child.kill("SIGKILL");
      } catch {
        // it has ended
      }
    },
  };
}
