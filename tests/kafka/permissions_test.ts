/** What a missing permission is told like: at once, and all of it. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { freePorts } from "../../scripts/kafka/ports.ts";
import { createClient, ENDLESS } from "../../src/kafka/kafkajs/client.ts";
import { toKafkaError } from "../../src/kafka/kafkajs/failures.ts";
import { brokers, kafkaTest } from "../_support/kafka.ts";

const root = new URL("../../", import.meta.url).pathname;
const env = "--allow-env=KAFKAJS_DEBUG_EXTENDED_PROTOCOL_BUFFERS,KAFKAJS_DEBUG_PROTOCOL_BUFFERS," +
  "KAFKAJS_LOG_LEVEL,KAFKAJS_NO_PARTITIONER_WARNING,NODE_ENV";
const MODES = ["send", "lag", "read", "source", "sink"];

/** Runs the program in every mode, with these flags only; each has 30 s, half of the default `startTimeout`. */
async function use(
  flags: string[],
  ...addresses: string[]
): Promise<[mode: string, told: string][]> {
  return await Promise.all(MODES.map(async (mode): Promise<[string, string]> => {
    const args = [
      "run",
      "--no-prompt",
      ...flags,
      "tests/_support/use_brokers.ts",
      mode,
      ...addresses,
    ];
    const signal = AbortSignal.timeout(30_000);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: root, signal })
      .output();
    const told = new TextDecoder().decode(stdout).trim();
    return [mode, told === "" ? new TextDecoder().decode(stderr) : told];
  }));
}

Deno.test("a Topic without permissions says at once which it lacks, all of them as flags", async () => {
  const [first, second, third] = freePorts(3).map((port) => `127.0.0.1:${port}`);
  const cases: [flags: string[], lacks: string][] = [
    [[], `--allow-net=${first},${second} ${env}`],
    [["--allow-net"], env],
    [[env], `--allow-net=${first},${second}`],
    [["--allow-net", "--allow-env=NODE_ENV"], env.replace(",NODE_ENV", "")],
    [[env, `--allow-net=${first},${third}`], `--allow-net=${second}`],
    [["--allow-net", "--allow-env", "--deny-net=127.0.0.1"], `--allow-net=${first},${second}`],
  ];
  for (const [flags, lacks] of cases) {
    for (const [mode, told] of await use(flags, first!, second!)) {
      assertEquals([
        mode,
        told.endsWith(`kafkajs lacks permissions: run again with ${lacks}`),
        told,
      ], [mode, true, told]);
    }
  }
});

kafkaTest(
  "a Topic whose brokers name an address that is not allowed says so at once, as a flag",
  async () => {
    const [host, port] = brokers[0]!.split(":");
    if (host !== "127.0.0.1") return; // the brokers may name themselves otherwise
    const flags = [env, `--allow-net=localhost:${port}`];
    for (const [mode, told] of await use(flags, `localhost:${port}`)) {
      assertStringIncludes(told, `run again with --allow-net=127.0.0.1:${port}`, mode);
    }
  },
);

Deno.test({
  name:
    "a client of kafkajs that tries without end gives up where Deno does not allow the connection",
  permissions: { net: ["127.0.0.1:1"], env: true, read: true },
  async fn() {
    for (
      const [address, host] of [["127.0.0.2:9", "127.0.0.2:9"], ["localhost:9", "localhost:9"]]
    ) {
      const { kafka, lifetime } = createClient({ brokers: [address!] }, ENDLESS.retries);
      const error = await assertRejects(() => kafka.admin().connect());
      assertEquals(lifetime.ended, true);
      const { message, retriable } = toKafkaError("Cannot connect", error);
      assertStringIncludes(message, `Cannot connect: run again with --allow-net=${host}: `);
      assertEquals(retriable, false);
    }
  },
});
