import { run, type Running, type Runtime, supervise } from "./runtime.ts";

const VERSION = "4.1.0";

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>slipstream</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${VERSION}</version>
  </dependency></dependencies>
</project>`;

/** Starts the broker, tells its process id, and ends it when standard input ends. */
const SUPERVISED = `folder=$1; shift
"$@" >"$folder/broker.log" 2>&1 </dev/null &
broker=$!; echo $broker
cat >/dev/null
kill -9 $broker`;

/** The same without an end: the broker outlives its caller. */
const DETACHED = `folder=$1; shift
"$@" >"$folder/broker.log" 2>&1 </dev/null &
echo $!`;

/** The broker's jars, fetched once and kept outside the repository; undefined without Java or Maven. */
export async function jars(): Promise<string | undefined> {
  if (await run("java", ["-version"]) === undefined) return undefined;
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`;
  const folder = `${cache}/slipstream/kafka-${VERSION}`;
  if (await Deno.stat(folder).catch(() => undefined)) return folder;
  await Deno.mkdir(`${cache}/slipstream`, { recursive: true });
  const work = await Deno.makeTempDir({ dir: `${cache}/slipstream` });
  try {
    await Deno.writeTextFile(`${work}/pom.xml`, POM);
    const goal = ["-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime"];
    const args = [...goal, `-DoutputDirectory=${work}/jars`];
    if (await run("mvn", args, { cwd: work, timeoutMs: 300_000 }) === undefined) return undefined;
    // Another process may have been quicker: its folder is as good.
    await Deno.rename(`${work}/jars`, folder).catch(() => {});
    return folder;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** The broker as a Java process. */
export async function java(): Promise<Runtime | undefined> {
  const folderOfJars = await jars();
  if (folderOfJars === undefined) return undefined;
  const classPath = ["-cp", `${folderOfJars}/*`];
  return {
    dataFolder: (folder) => `${folder}/data`,
    async format(folder) {
      const storage = ["kafka.tools.StorageTool", "format", "-t", "c2xpcHN0cmVhbS10ZXN0MQ"];
      const args = [...classPath, ...storage, "-c", `${folder}/server.properties`];
      if (await run("java", args, { timeoutMs: 60_000 }) === undefined) {
        throw new Error(`Cannot format the broker's storage: java ${args.join(" ")}`);
      }
    },
    async run(folder, detached) {
      const tuning = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
      const broker = [
        "java",
        ...tuning,
        ...classPath,
        "kafka.Kafka",
        `${folder}/server.properties`,
      ];
      const child = supervise(detached ? DETACHED : SUPERVISED, [folder, ...broker], detached);
      return await processOf(child, detached);
    },
  };
}

async function processOf(child: Deno.ChildProcess, detached: boolean): Promise<Running> {
  const reader = child.stdout.getReader();
  const pid = Number(new TextDecoder().decode((await reader.read()).value));
  await reader.cancel();
  const signal = (name: Deno.Signal) => {
    try {
      Deno.kill(pid, name);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return Promise.resolve();
  };
  return {
    ended: detached ? new Promise(() => {}) : child.status,
    handle: ["kill", "-9", String(pid)],
    signal: (name) => signal(`SIG${name}`),
    async kill() {
      await signal("SIGKILL");
      if (!detached) await child.stdin.close().catch(() => {});
      await child.status;
    },
  };
}
