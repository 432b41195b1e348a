import { firstLine, type Installation, run, type Running } from "./runtime.ts";
import { type Runtime, supervise } from "./runtime.ts";

const VERSION = "4.1.0";

const CLUSTER_ID = "c2xpcHN0cmVhbS10ZXN0MQ";

const pom = (artifact: string) =>
  `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>slipstream</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>org.apache.kafka</groupId><artifactId>${artifact}</artifactId><version>${VERSION}</version>
  </dependency></dependencies>
</project>`;

/** Starts the broker, tells its process id, and ends it when standard input ends; ends when it has ended. */
const SUPERVISED = `log=$1; shift
(trap - HUP TERM; exec "$@") >"$log" 2>&1 </dev/null &
broker=$!; echo $broker
exec 3<&0
{ cat <&3 >/dev/null; kill -9 $broker; } >/dev/null &
guard=$!
wait $broker
kill -9 $guard`;

/** The same without an end: the broker outlives its caller. */
const DETACHED = `log=$1; shift
(trap - HUP TERM; exec "$@") >"$log" 2>&1 </dev/null &
echo $!
wait`;

/** Ends a process if it still is the broker of a folder: ids are used again. */
const END = `{ ps -p "$1" -o args= || tr '\\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null |
grep -qF "$2/server.properties" && kill -9 "$1"`;

/** What Kafka publishes for Java, as far as it is used here, and the folder of its jars. */
const folders = { "kafka_2.13": `kafka-${VERSION}`, "kafka-streams": `kafka-streams-${VERSION}` };

/**
 * The jars of an artifact of Kafka, by default of the broker, fetched once and kept outside the repository; undefined
 * without Java or Maven, and `note` is told when Maven cannot get them.
 */
export async function jars(
  note: (text: string) => void = () => {},
  artifact: keyof typeof folders = "kafka_2.13",
): Promise<string | undefined> {
  if (!(await run("java", ["-version"])).success) return undefined;
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`;
  const folder = `${cache}/slipstream/${folders[artifact]}`;
  if (await Deno.stat(folder).catch(() => undefined)) return folder;
  await Deno.mkdir(`${cache}/slipstream`, { recursive: true });
  const work = await Deno.makeTempDir({ dir: `${cache}/slipstream` });
  try {
    await Deno.writeTextFile(`${work}/pom.xml`, pom(artifact));
    const goal = ["-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime"];
    const args = [...goal, `-DoutputDirectory=${work}/jars`];
    const fetched = await run("mvn", args, { cwd: work, timeoutMs: 300_000 });
    if (!fetched.success) {
      if (!fetched.missing) note(`Maven cannot get the jars of Kafka ${VERSION}: ${fetched.error}`);
      return undefined;
    }
    // Another process may have been quicker: its folder is as good.
    await Deno.rename(`${work}/jars`, folder).catch(() => {});
    return folder;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** The broker as a Java process, with a heap of `heapMb` megabytes. */
export async function java(
  note: (text: string) => void,
  heapMb = 512,
): Promise<Runtime | undefined> {
  const folderOfJars = await jars(note);
  if (folderOfJars === undefined) return undefined;
  const classPath = ["-cp", `${folderOfJars}/*`];
  return {
    host: "127.0.0.1",
    dataFolder: (folder) => `${folder}/data`,
    async install({ folder, properties, detached }): Promise<Installation> {
      const file = `${folder}/server.properties`;
      const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
      await Deno.writeTextFile(file, lines.join(""));
      const format = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", file];
      const formatted = await run("java", [...classPath, ...format], { timeoutMs: 60_000 });
      if (!formatted.success) {
        throw new Error(`Cannot format the broker's storage: ${formatted.error}`);
      }
      const tuning = [`-Xmx${heapMb}m`, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
      const broker = ["java", ...tuning, ...classPath, "kafka.Kafka", file];
      return {
        start: () => start(folder, broker, detached),
        remove: () => Promise.resolve(),
      };
    },
  };
}

async function start(folder: string, broker: string[], detached: boolean): Promise<Running> {
  const log = `${folder}/broker.log`;
  const child = supervise(detached ? DETACHED : SUPERVISED, [log, ...broker], detached);
  const pid = Number(await firstLine(child));
  const signal = (name: Deno.Signal) => {
    try {
      Deno.kill(pid, name);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return Promise.resolve();
  };
  return {
    ended: child.status,
    handle: handleOf(pid, folder),
    log: () => Deno.readTextFile(log),
    signal: (name) => signal(`SIG${name}`),
    async kill() {
      await signal("SIGKILL");
      if (!detached) await child.stdin.close().catch(() => {});
      await child.status;
    },
  };
}

/** The command that ends the broker of a folder, and no other process that has got its id since. */
export function handleOf(pid: number, folder: string): string[] {
  return ["sh", "-c", END, "sh", String(pid), folder];
}
