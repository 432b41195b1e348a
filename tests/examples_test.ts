import { assertEquals } from "@std/assert";
import { elide, readExample, root, runDeno } from "./_support/examples.ts";
import { brokers, forget, kafkaTest } from "./_support/kafka.ts";

/** The examples whose output is not the same every time: each has a test of its own in tests/examples. */
const live = ["source_sse", "http_enrich"];

/** What examples share: chooses the broker, prints nothing. */
const shared = "broker";

for await (const { name: file } of Deno.readDir(new URL("examples/", root))) {
  const name = file.replace(/\.ts$/, "");
  if (name === file || name === shared || live.includes(name)) continue;
  Deno.test(`examples/${file} prints what its head says`, async () => {
    const { args, output } = await readExample(name);
    assertEquals(elide(await runDeno(args), output), output);
  });
}

for (const name of ["topic", "codec", "conf", "codec_avro", "aggregate"]) {
  kafkaTest(`examples/${name}.ts prints on Kafka what its head says`, async () => {
    // What an earlier run left in the topics is read by the next one.
    await forget(["emoji", "emoji-json", "emoji-avro", "orders", "totals"], ["demo", "totals"]);
    const { args, output } = await readExample(name);
    assertEquals(await runDeno(args, brokers), output);
  });
}
