import { assert, assertEquals, assertRejects } from "@std/assert";
import { TextLineStream } from "@std/streams/text-line-stream";
import { findRuntime } from "../../scripts/kafka/find_runtime.ts";
import { KafkaServer } from "../../scripts/kafka/server.ts";
import { answers } from "../../scripts/kafka/ports.ts";
import { Topic } from "../../src/kafka/topic/topic.ts";
import { engineTest, EngineWorld } from "../_support/engine_world.ts";

engineTest(
  "a broker in a container is killed, goes on with its data, and leaves nothing",
  async () => {
    await using world = await EngineWorld.make(["docker"]);
    await world.say("image");
    world.enter();
    const notes: string[] = [];
    const server = await KafkaServer.start({ note: (text) => notes.push(text) });
    const { brokers } = server;
    {
      await using topic = new Topic("emoji", { brokers });
      assertEquals((await topic.send(["k", "a"])).offset, 0);
    }
    await server.freeze();
    assertEquals(await answers(brokers[0]!), false);
    await server.thaw();
    await server.kill();
    assertEquals(await answers(brokers[0]!), false);
    await server.restart();
    {
      await using topic = new Topic("emoji", { brokers });
      assertEquals((await topic.send(["k", "b"])).offset, 1);
    }
    await server.stop();
    assertEquals([notes, world.leftovers(), await answers(brokers[0]!)], [[], [], false]);
    const verbs = world.calls().map(([verb]) => verb);
    assertEquals(verbs.filter((verb) => verb === "pull" || verb === "run"), ["run"]);
  },
);

engineTest("podman is used where docker is not installed, and fetches the image", async () => {
  await using world = await EngineWorld.make(["podman"]);
  world.enter();
  {
    await using server = await KafkaServer.start();
    assertEquals(await answers(server.brokers[0]!), true);
  }
  assertEquals(world.leftovers(), []);
  assertEquals(world.calls().slice(0, 4).map(([verb]) => verb), ["info", "image", "pull", "run"]);
});

engineTest(
  "a container that cannot be created is an error that says why, and leaves nothing",
  async () => {
    await using world = await EngineWorld.make(["docker"]);
    await world.say("image", "full");
    world.enter();
    await assertRejects(
      () => KafkaServer.start(),
      Error,
      "Cannot start a container of apache/kafka:4.1.0 with docker: docker: no space left",
    );
    assertEquals(world.leftovers(), []);
  },
);

engineTest(
  "a broker in a container that ends while it starts is an error with its log",
  async () => {
    await using world = await EngineWorld.make(["docker"]);
    await world.say("image");
    world.enter();
    const properties = { "group.max.size": "none" };
    await assertRejects(() => KafkaServer.start({ properties }), Error, "group.max.size");
    assertEquals(world.leftovers(), []);
  },
);

for (
  const [fact, reason] of [
    ["down", /^docker is not used as it does not answer: Cannot connect to the Docker daemon/],
    [
      "offline",
      /^docker is not used as it cannot get apache\/kafka:4.1.0: .*no such host/,
    ],
  ] as const
) {
  engineTest(`Java is used, and it is said why, when docker is ${fact}`, async () => {
    await using world = await EngineWorld.make(["docker"]);
    await world.say(fact);
    world.enter();
    const notes: string[] = [];
    const runtime = await findRuntime((text) => notes.push(text));
    assertEquals([runtime.host, notes.length], ["127.0.0.1", 1]);
    assert(reason.test(notes[0]!), notes[0]);
  });
}

Deno.test("without a way to a broker the error says what is missing, and why docker is not used", async () => {
  await using world = await EngineWorld.make(["docker"], ["java"]);
  await world.say("down");
  world.enter();
  const error = await assertRejects(() => findRuntime(), Error, "set KAFKA_BROKERS, or install");
  assert(
    /Maven; docker is not used as it does not answer: Cannot connect/.test(error.message),
    error.message,
  );
});

/** Starts a process that starts a broker, in a process group of its own, as a shell does. */
function spawnOwner(world: EngineWorld) {
  const program = new URL("../_support/broker_owner.ts", import.meta.url).pathname;
  const owner = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", program],
    env: world.env,
    stdout: "piped",
    detached: true,
  }).spawn();
  const lines = owner.stdout.pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream()).getReader();
  return { owner, lines };
}

async function until(reached: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!await reached()) {
    if (performance.now() > deadline) throw new Error(`Never reached: ${reached}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

for (const engines of [["docker"], []]) {
  for (const signal of ["KILL", "INT"]) {
    const where = engines.length > 0 ? "in a container" : "of Java";
    const how = signal === "KILL" ? "its owner is killed" : "its owner is interrupted";
    engineTest(`a broker ${where} ends when ${how}`, async () => {
      await using world = await EngineWorld.make(engines);
      await world.say("image");
      const { owner, lines } = spawnOwner(world);
      const { value: address } = await lines.read();
      // A kill is for the owner alone; an interrupt at the terminal for all of its group.
      const target = String(signal === "KILL" ? owner.pid : -owner.pid);
      const kill = new Deno.Command("kill", { args: ["-s", signal, "--", target] });
      assert((await kill.output()).success);
      await owner.status;
      await lines.cancel();
      await until(async () => !await answers(address!) && world.running().length === 0);
    });
  }
}

engineTest("a container is removed when its owner is killed while it starts", async () => {
  await using world = await EngineWorld.make(["docker"]);
  await world.say("image");
  const { owner, lines } = spawnOwner(world);
  await until(() => world.calls().some(([verb]) => verb === "run"));
  owner.kill("SIGKILL");
  await owner.status;
  await lines.cancel();
  await until(() => world.calls().some(([verb]) => verb === "rm"));
  await until(() => world.running().length === 0);
});
