/**
 * A stand-in for docker and podman, for machines without: what is asked of it is checked, and a container
 * of the Kafka image is the image's own start (its jars hold it) as a process of this machine.
 *
 * Its world is the folder `ENGINE_WORLD`: `down` there says that the service does not run, `offline` that
 * images cannot be fetched, `full` that containers cannot be created; `image` is there when one was
 * fetched, `calls` has a line for each call, `containers` and `volumes` hold what was not removed.
 */
// deno-lint-ignore-file no-console
import { existsSync as exists } from "node:fs";
import { parseArgs } from "node:util";
import { jars } from "../../scripts/kafka/java.ts";

const IMAGE = "apache/kafka:4.1.0";
/** The image's volume that its user can write to. */
const VOLUME = "/var/lib/kafka/data";

const world = Deno.env.get("ENGINE_WORLD")!;
const [verb = "", ...args] = Deno.args;
Deno.writeTextFileSync(`${world}/calls`, `${JSON.stringify(Deno.args)}\n`, { append: true });

function fail(text: string): never {
  console.error(text);
  Deno.exit(125);
}

function homeOf(name: string): string {
  const home = `${world}/containers/${name}`;
  if (!exists(home)) fail(`Error response from daemon: No such container: ${name}`);
  return home;
}

/** The properties that the image's own setup makes of the variables. */
async function setUp(home: string, env: Record<string, string>): Promise<void> {
  const advertised = env["KAFKA_ADVERTISED_LISTENERS"] ?? "";
  if (advertised.includes("SSL://")) {
    fail("KAFKA_SSL_KEYSTORE_FILENAME environment variable not set");
  }
  if (/SASL_.*:\/\//.test(advertised)) fail("KAFKA_OPTS environment variable not set");
  const config = `${home}/config`;
  for (const folder of [config, `${home}/defaults`, `${home}/mounted`]) Deno.mkdirSync(folder);
  Deno.writeTextFileSync(`${home}/defaults/server.properties`, "");
  const volume = `${world}/volumes/${home.split("/").at(-1)}`;
  Deno.mkdirSync(volume);
  const wrapper = ["kafka.docker.KafkaDockerWrapper", "setup"];
  const folders = ["-D", `${home}/defaults`, "-M", `${home}/mounted`, "-F", config];
  const { success, stdout, stderr } = await new Deno.Command("java", {
    args: ["-cp", `${await jars()}/*`, ...wrapper, ...folders],
    clearEnv: true,
    env: {
      PATH: Deno.env.get("PATH")!,
      CLUSTER_ID: "5L6g3nShT-eMCtK--X86sw",
      ...env,
      KAFKA_LOG_DIRS: (env["KAFKA_LOG_DIRS"] ?? "/tmp").replace(VOLUME, volume),
    },
  }).output();
  if (!success) fail(new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout));
}

/** Lets through what reaches a container: published ports, to what listens at all its addresses. */
function checkPorts(publish: string[], listeners: string): void {
  const published = publish.map((text) => {
    const [, outside, inside] = /^127\.0\.0\.1:(\d+):(\d+)$/.exec(text) ??
      fail(`Bad port: ${text}`);
    if (outside !== inside) fail("What the broker advertises is not where it listens");
    return `//0.0.0.0:${inside}`;
  });
  const reachable = listeners.split(",").map((listener) => listener.split(":").slice(1).join(":"))
    .filter((address) => address.startsWith("//0.0.0.0:"));
  if (published.join() !== reachable.join()) fail(`${published} are published of ${reachable}`);
}

async function runContainer(): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      detach: { type: "boolean" },
      name: { type: "string" },
      publish: { type: "string", multiple: true, default: [] },
      volume: { type: "string", multiple: true, default: [] },
      env: { type: "string", multiple: true, default: [] },
    },
  });
  if (exists(`${world}/full`)) fail("docker: no space left on device.");
  if (!values.detach || positionals.join() !== IMAGE) fail(`Cannot run ${positionals}`);
  if (!exists(`${world}/image`)) fail(`Unable to find image '${positionals}' locally`);
  for (const volume of values.volume) {
    const [from, to, mode] = volume.split(":");
    const open = (Deno.statSync(from!).mode! & 0o5) === 0o5;
    if (from !== to || mode !== "ro" || !open) fail(`appuser cannot read ${volume}`);
  }
  const env = Object.fromEntries(values.env.map((text) => {
    const at = text.indexOf("=");
    return [text.slice(0, at), text.slice(at + 1)];
  }));
  checkPorts(values.publish, env["KAFKA_LISTENERS"] ?? "");
  const home = `${world}/containers/${values.name}`;
  Deno.mkdirSync(home); // fails when the name is in use
  await setUp(home, env);
  await launch(home);
}

/** Starts the broker; a shell notes how it ended. */
async function launch(home: string): Promise<void> {
  await Deno.remove(`${home}/ended`).catch(() => {});
  const script = `"$@" >"${home}/log" 2>&1 & echo $! >"${home}/pid"; echo up; exec >&-
wait $!; echo $? >"${home}/ended"`;
  const broker = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
  const main = ["-cp", `${await jars()}/*`, "kafka.Kafka", `${home}/config/server.properties`];
  const child = new Deno.Command("sh", {
    args: ["-c", script, "sh", ...broker, ...main],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
    detached: true,
  }).spawn();
  await child.stdout.getReader().read();
  child.unref();
}

async function waitFor(home: string): Promise<string> {
  while (exists(home) && !exists(`${home}/ended`)) {
    await new Promise((then) => setTimeout(then, 50));
  }
  return Deno.readTextFile(`${home}/ended`).catch(() => "137\n");
}

function signal(home: string, name: Deno.Signal): void {
  if (exists(`${home}/ended`)) fail("Error response from daemon: the container is not running");
  Deno.kill(Number(Deno.readTextFileSync(`${home}/pid`)), name);
}

async function remove(): Promise<void> {
  const { values, positionals: [name] } = parseArgs({
    args,
    allowPositionals: true,
    options: { f: { type: "boolean", short: "f" }, v: { type: "boolean", short: "v" } },
  });
  const home = homeOf(name!);
  if (values.f && exists(`${home}/pid`) && !exists(`${home}/ended`)) {
    signal(home, "SIGKILL");
    await waitFor(home);
  }
  if (values.v) await Deno.remove(`${world}/volumes/${name}`, { recursive: true }).catch(() => {});
  await Deno.remove(home, { recursive: true });
}

const verbs: Record<string, () => void | Promise<void>> = {
  info() {},
  image() {
    if (args[0] !== "inspect" || args[1] !== IMAGE || !exists(`${world}/image`)) {
      fail("No such image");
    }
  },
  pull() {
    if (exists(`${world}/offline`)) fail("Error response from daemon: no such host");
    Deno.writeTextFileSync(`${world}/image`, "");
  },
  run: runContainer,
  start: () => launch(homeOf(args[0]!)),
  kill: () => signal(homeOf(args[0]!), "SIGKILL"),
  pause: () => signal(homeOf(args[0]!), "SIGSTOP"),
  unpause: () => signal(homeOf(args[0]!), "SIGCONT"),
  wait: async () => console.log((await waitFor(homeOf(args[0]!))).trim()),
  logs: () => console.log(Deno.readTextFileSync(`${homeOf(args[0]!)}/log`)),
  rm: remove,
};

if (exists(`${world}/down`)) {
  fail("Client:\n\nServer:\nCannot connect to the Docker daemon. Is the docker daemon running?");
}
await (verbs[verb] ?? (() => fail(`unknown command: ${verb}`)))();
Deno.exit(0);
