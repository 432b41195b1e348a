import { assert, assertEquals } from "@std/assert";
import { handleOf } from "../../scripts/kafka/java.ts";
import { answers } from "../../scripts/kafka/ports.ts";
import { brokersFromEnvironment } from "../../scripts/kafka/server.ts";
import { stateFileOf } from "../../scripts/kafka/state_file.ts";
import { engineTest, EngineWorld } from "../_support/engine_world.ts";

const scripts = new URL("../../scripts", import.meta.url).pathname;

/** What is typed in shells of one user in one checkout, each of which ends at once. */
class Shells {
  readonly #world: EngineWorld;
  readonly #scripts: string;

  constructor(world: EngineWorld, folder = scripts) {
    this.#world = world;
    this.#scripts = folder;
  }

  /** The same user's shells in a second checkout, as far as the command is concerned. */
  static async elsewhere(world: EngineWorld): Promise<Shells> {
    const folder = `${world.folder}/checkout`;
    await Deno.mkdir(`${folder}/kafka`, { recursive: true });
    await Deno.copyFile(`${scripts}/kafka.ts`, `${folder}/kafka.ts`);
    for (const { name } of Deno.readDirSync(`${scripts}/kafka`)) {
      await Deno.copyFile(`${scripts}/kafka/${name}`, `${folder}/kafka/${name}`);
    }
    return new Shells(world, folder);
  }

  /** Runs `deno task kafka` with an argument; returns what it printed, and ` !` and its code if not 0. */
  async kafka(command: string, env: Record<string, string> = {}): Promise<string> {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", `${this.#scripts}/kafka.ts`, command],
      env: { ...this.#world.env, KAFKA_BROKERS: "", ...env },
      detached: true,
    }).output();
    const text = new TextDecoder().decode(code === 0 ? stdout : stderr).trim();
    return code === 0 ? text : `${text} !${code}`;
  }
}

/** Notes a broker as `kafka start` does in this checkout. */
async function note(world: EngineWorld, state: Record<string, unknown>): Promise<void> {
  await Deno.writeTextFile(stateFileOf(scripts, `${world.folder}/tmp`), JSON.stringify(state));
}

engineTest("kafka start, status and stop know one broker, from any shell", async () => {
  await using world = await EngineWorld.make([]);
  const shells = new Shells(world);
  assertEquals(await shells.kafka("status"), "no broker");
  const started = await shells.kafka("start");
  try {
    const [, brokers] = /^runs at (127.0.0.1:\d+); use it with KAFKA_BROKERS=\1$/.exec(started)!;
    assertEquals(await shells.kafka("status"), `${brokers}: answers`);
    assertEquals(
      await shells.kafka("start"),
      `runs at ${brokers} already; use it with KAFKA_BROKERS=${brokers}`,
    );
  } finally {
    assertEquals(await shells.kafka("stop"), "stopped");
  }
  assertEquals(await answers(started.split("=")[1]!), false);
  assertEquals([await shells.kafka("stop"), await shells.kafka("status")], [
    "nothing that was started here",
    "no broker",
  ]);
  assertEquals(world.leftovers(), []);
});

engineTest("kafka start leaves a container to run, which kafka stop removes", async () => {
  await using world = await EngineWorld.make(["podman"]);
  const shells = new Shells(world);
  const started = await shells.kafka("start");
  assert(started.startsWith("runs at "), started);
  assertEquals(await shells.kafka("status"), `${started.split("=")[1]}: answers`);
  assertEquals([await shells.kafka("stop"), world.leftovers()], ["stopped", []]);
});

engineTest("kafka starts another broker when the one it started does not answer", async () => {
  await using world = await EngineWorld.make([]);
  const shells = new Shells(world);
  const first = (await shells.kafka("start")).split("=")[1]!;
  const [file] = world.leftovers().filter((name) => name.endsWith(".json"));
  const { handle } = JSON.parse(await Deno.readTextFile(`${world.folder}/${file}`));
  Deno.kill(Number(handle.at(-2)), "SIGSTOP");
  assertEquals(await shells.kafka("status"), `${first}: does not answer`);
  const again = await shells.kafka("start");
  assert(again.startsWith(`${first} did not answer and was stopped\nruns at `), again);
  assertEquals([await shells.kafka("stop"), world.leftovers()], ["stopped", []]);
});

Deno.test("kafka stop spares a process that has got the id of the broker", async () => {
  await using world = await EngineWorld.make([]);
  const other = new Deno.Command("sleep", { args: ["60"] }).spawn();
  try {
    const folder = `${world.folder}/tmp/slipstream-kafka-gone`;
    await Deno.mkdir(folder);
    const handle = handleOf(other.pid, folder);
    await note(world, { brokers: ["127.0.0.1:1"], folder, handle });
    assertEquals(await new Shells(world).kafka("stop"), "was gone already");
    assertEquals(world.leftovers(), []);
    other.kill("SIGTERM"); // throws when it is gone
  } finally {
    assertEquals((await other.status).signal, "SIGTERM");
  }
});

Deno.test("kafka status and stop leave the broker of another checkout alone", async () => {
  await using world = await EngineWorld.make([]);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const broker = new Deno.Command("sleep", { args: ["60"] }).spawn();
  try {
    const folder = `${world.folder}/tmp/slipstream-kafka-ours`;
    await Deno.mkdir(folder);
    // A handle that ends the process without a look at what it is.
    const handle = ["sh", "-c", `kill -9 ${broker.pid}`];
    const brokers = [`127.0.0.1:${listener.addr.port}`];
    await note(world, { brokers, folder, handle });
    const elsewhere = await Shells.elsewhere(world);
    assertEquals(await elsewhere.kafka("status"), "no broker");
    assertEquals(await elsewhere.kafka("stop"), "nothing that was started here");
    assertEquals(await new Shells(world).kafka("status"), `${brokers}: does not answer`);
    broker.kill("SIGTERM"); // throws when it is gone
  } finally {
    assertEquals((await broker.status).signal, "SIGTERM");
  }
});

Deno.test("kafka starts nothing where KAFKA_BROKERS names some, and asks those", async () => {
  await using world = await EngineWorld.make([], ["java"]);
  const shells = new Shells(world);
  const env = { KAFKA_BROKERS: "127.0.0.1:1, [::1]:1" };
  const named = "127.0.0.1:1,[::1]:1";
  assertEquals(
    await shells.kafka("start", env),
    `KAFKA_BROKERS names ${named}: nothing to start`,
  );
  assertEquals(await shells.kafka("status", env), `${named}: does not answer`);
  assertEquals(await shells.kafka("restart"), "Use: deno task kafka start|stop|status !2");
  const nowhere = await shells.kafka("start", { KAFKA_BROKERS: " " });
  assert(/^No Kafka broker can be started here: set KAFKA_BROKERS.* !1$/.test(nowhere), nowhere);
});

Deno.test("brokersFromEnvironment() reads a list, and nothing from an empty one", () => {
  const before = Deno.env.get("KAFKA_BROKERS");
  try {
    const read = (text: string) => {
      Deno.env.set("KAFKA_BROKERS", text);
      return brokersFromEnvironment();
    };
    assertEquals([read("a:1, b:2,"), read(""), read(" ,")], [["a:1", "b:2"], undefined, undefined]);
  } finally {
    if (before === undefined) Deno.env.delete("KAFKA_BROKERS");
    else Deno.env.set("KAFKA_BROKERS", before);
  }
});

Deno.test("without kcat its tests fail where KAFKA_REQUIRED is set, and are ignored elsewhere", async () => {
  await using world = await EngineWorld.make([], ["java"]);
  const summary = async (required: string) => {
    const tests = new URL("../kafka/interchange_test.ts", import.meta.url).pathname;
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "-A", "--no-check", "--filter", "/kcat/", tests],
      env: { ...world.env, KAFKA_REQUIRED: required, KAFKA_BROKERS: "127.0.0.1:1", NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert(text.includes("kcat is not installed"), text);
    return /\d+ passed \| \d+ failed( \| \d+ ignored)?/.exec(text)![0];
  };
  assertEquals(await summary("1"), "0 passed | 11 failed");
  assertEquals(await summary(""), "0 passed | 0 failed | 11 ignored");
});
