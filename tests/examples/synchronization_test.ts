import { assertEquals } from "@std/assert";
import { readExample, root } from "../_support/examples.ts";
import { brokers, kafkaTest } from "../_support/kafka.ts";

/** Runs the example by the command in its head, on the brokers that are given. */
async function run(KAFKA_BROKERS: string): Promise<string[]> {
  const { args } = await readExample("synchronization");
  const env = { KAFKA_BROKERS, NO_COLOR: "1" };
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: root, env })
    .output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trimEnd().split("\n");
}

Deno.test("examples/synchronization.ts prints what the reference prints, on the embedded broker", async () => {
  const { output } = await readExample("synchronization");
  assertEquals(
    output.find((line) => line.includes("offset")),
    "\tDowntime resolved, going back to offset {'0': 2} for reprocessing.",
  );
  assertEquals(await run(""), output);
});

kafkaTest("examples/synchronization.ts prints the same on Kafka", async () => {
  const { output } = await readExample("synchronization");
  assertEquals(await run(brokers.join()), output);
});
