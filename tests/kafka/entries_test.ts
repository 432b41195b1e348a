/** What the entries load, and what permissions they need. */
import { assert, assertEquals } from "@std/assert";
import { brokers, kafkaTest } from "../_support/kafka.ts";

const root = new URL("../../", import.meta.url).pathname;

async function deno(args: string[], env: Record<string, string> = {}): Promise<string> {
  const output = await new Deno.Command(Deno.execPath(), { args, env, cwd: root }).output();
  const [out, err] = [output.stdout, output.stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert(output.success, err);
  return out!;
}

Deno.test("./memory does not load kafkajs", async () => {
  const { modules } = JSON.parse(await deno(["info", "--json", "src/kafka/memory/mod.ts"]));
  const specifiers: string[] = modules.map(({ specifier }: { specifier: string }) => specifier);
  assertEquals(specifiers.filter((specifier) => specifier.includes("kafkajs")), []);
});

Deno.test("a Topic on the embedded broker needs no permission", async () => {
  const program = "tests/_support/send_without_permission.ts";
  assertEquals(await deno(["run", "--no-prompt", program]), "0");
});

/** The environment variables that kafkajs reads. */
const VARIABLES = [
  "KAFKAJS_DEBUG_PROTOCOL_BUFFERS",
  "KAFKAJS_DEBUG_EXTENDED_PROTOCOL_BUFFERS",
  "KAFKAJS_LOG_LEVEL",
  "KAFKAJS_NO_PARTITIONER_WARNING",
  "NODE_ENV",
];

kafkaTest("a Topic on Kafka needs the network and to read the variables of kafkajs", async () => {
  const net = `--allow-net=${brokers.map((broker) => broker.split(":")[0])}`;
  const env = `--allow-env=KAFKA_BROKERS,${VARIABLES}`;
  const topic = "examples/topic.ts";
  const printed = await deno(["run", "--no-prompt", net, env, topic], {
    KAFKA_BROKERS: brokers.join(),
  });
  assert(printed.includes("fish 🐟"), printed);
});
