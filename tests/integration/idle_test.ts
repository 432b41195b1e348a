import { assertEquals } from "@std/assert";
import { App } from "../../mod.ts";
import { Topic } from "../../src/kafka/mod.ts";
import { brokers, kafkaTest, unique } from "../_support/kafka.ts";

/** How long a process may live on that has nothing left to do. */
const PATIENCE_MS = 3_000;

for (const way of ["source", "sink", "iterate", "send", "lag", "ensure", "all"]) {
  kafkaTest(`a process ends that leaves a topic open after its last step: ${way}`, async () => {
    const name = unique("idle");
    await using topic = new Topic(name, { brokers });
    await topic.send({ value: "x" });
    const script = new URL("../_support/idle_program.ts", import.meta.url).href;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", script, brokers.join(","), name, way],
      stdout: "piped",
    }).spawn();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const said = child.stdout.pipeThrough(new TextDecoderStream()).pipeTo(
      new WritableStream({
        write() {
          timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
        },
      }),
    );
    const { code, signal } = await child.status;
    clearTimeout(timer);
    await said;
    assertEquals([code, signal], [0, null]);
  });
}

kafkaTest("stream() closes what it has opened of a topic that stays open", async () => {
  const name = unique("idle");
  {
    await using topic = new Topic(name, { brokers });
    await topic.send({ value: "x" });
  }
  const [source, sink] = [name, `${name}-out`].map((topic) =>
    new Topic(topic, { brokers, groupId: name, offset: "earliest" })
  );
  for (let run = 0; run < 2; run++) {
    const app = new App();
    app.handle(source!, ({ value }) => {
      void app.close();
      return ["k", value] as const;
    }, { sink: sink! });
    if (run === 1) await source!.seek("earliest");
    await app.stream();
  }
  // The test fails where a connection or a timer is left.
});
