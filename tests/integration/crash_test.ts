import { assertEquals } from "@std/assert";
import { Cache } from "../../mod.ts";
import { Topic } from "../../src/kafka/mod.ts";
import { brokers, kafkaTest, unique } from "../_support/kafka.ts";
import { temporaryFolder } from "../_support/temporary.ts";

const KILLS = 10;
const PARTITIONS = 3;
const KEYS = 7;
/** Messages that are sent during each life of the program. */
const BATCH = 2_000;

kafkaTest(
  "a program with exact state that is killed ten times counts every message once",
  async () => {
    await using folder = await temporaryFolder();
    const [input, output] = [unique("crash-in"), unique("crash-out")];
    await using source = new Topic(input, { brokers });
    await using sink = new Topic(output, { brokers, groupId: output, offset: "earliest" });
    await source.ensure({ partitions: PARTITIONS });
    await sink.ensure({ partitions: 1 });

    const path = `${folder.path}/counts`;
    const sent: Record<string, number> = {};
    const values: string[] = [];
    let kills = 0;
    for (let life = 0; life < KILLS; life++) {
      using program = start(input, output, path);
      const producing = produce(source, sent, values);
      await program.started;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 600));
      program.kill("SIGKILL");
      const { signal } = await program.status;
      if (signal === "SIGKILL") kills++;
      await producing;
    }
    assertEquals(kills, KILLS);

    using program = start(input, output, path);
    await program.started;
    await allCommitted(source, input);
    program.kill("SIGTERM");
    assertEquals((await program.status).code, 0);

    await using counts = await Cache.open<number>(path, { maxBytes: Infinity });
    const total = counts.space<number>("total", { maxBytes: Infinity });
    assertEquals(Object.fromEntries(await Array.fromAsync(counts.entries())), sent);
    assertEquals(await total.get("all"), values.length);

    const seen = new Set<string>();
    const { high } = (await sink.offsets()).get(0)!;
    for await (const { value, offset } of sink) {
      seen.add(value);
      if (offset >= high - 1) break;
    }
    assertEquals(seen, new Set(values)); // at least once, and nothing foreign
  },
);

/** Starts the program; `started` resolves when it reads. */
function start(input: string, output: string, path: string) {
  const script = new URL("../_support/counting_program.ts", import.meta.url).href;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--unstable-kv", script, brokers.join(","), input, output, path],
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
    [Symbol.dispose]() {
      try {
        child.kill("SIGKILL");
      } catch {
        // it has ended
      }
    },
  };
}

async function produce(topic: Topic, sent: Record<string, number>, values: string[]) {
  const sends: Promise<unknown>[] = [];
  for (let n = 0; n < BATCH; n++) {
    const key = `key ${n % KEYS}`;
    const value = `${values.length}`;
    values.push(value);
    sent[key] = (sent[key] ?? 0) + 1;
    sends.push(topic.send({ key, value }));
  }
  await Promise.all(sends);
}

/** Resolves when the group has committed everything that is in the topic. */
async function allCommitted(topic: Topic, groupId: string): Promise<void> {
  await using reader = new Topic(topic.name, { brokers, groupId });
  for (;;) {
    const lags = [...(await reader.lag()).values()];
    if (lags.every((lag) => lag === 0)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
