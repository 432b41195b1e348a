import { assertEquals } from "@std/assert";
import "../../src/kafka/kafkajs/repairs.ts";
import kafkajs from "kafkajs";
import { brokers, kafkaTest } from "../_support/kafka.ts";

const examples = new URL("../../examples/", import.meta.url).pathname;

/** Runs an example and returns what it prints. */
async function run(name: string, env: Record<string, string>): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-net",
      "--allow-env",
      "--allow-sys",
      "--allow-read",
      `${examples}${name}.ts`,
    ],
    env: { KAFKA_BROKERS: "", NO_COLOR: "1", ...env },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** What an example says that it prints: the text in the comment at its head. */
async function promised(name: string): Promise<string> {
  const file = await Deno.readTextFile(`${examples}${name}.ts`);
  const [, text] = file.match(/```text\n(.*?) \* ```/s)!;
  return text!.replace(/^ \* /gm, "");
}

/** Forgets what other runs left in the topics of the examples. */
async function forget(): Promise<void> {
  const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  const existing = await admin.listTopics();
  const topics = ["emoji", "emoji-json"].filter((topic) => existing.includes(topic));
  if (topics.length > 0) await admin.deleteTopics({ topics });
  await admin.deleteGroups(["demo"]).catch(() => {});
  await admin.disconnect();
}

for (const name of ["topic", "codec", "conf"]) {
  Deno.test(`examples/${name}.ts prints on the embedded broker what it promises`, async () => {
    assertEquals(await run(name, {}), await promised(name));
  });

  kafkaTest(`examples/${name}.ts prints on Kafka what it promises`, async () => {
    await forget();
    assertEquals(await run(name, { KAFKA_BROKERS: brokers.join() }), await promised(name));
  });
}
