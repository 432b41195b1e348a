import { run, type Running, type Runtime, supervise } from "./runtime.ts";

const IMAGE = "apache/kafka:4.1.0";

/** Runs the container in the background and removes it when standard input ends. */
const SUPERVISED = `engine=$1; name=$2; folder=$3
"$engine" wait "$name" >/dev/null & echo ready
cat >/dev/null
"$engine" rm -f "$name" >/dev/null`;

/** The broker in a container of the first engine whose service answers. */
export async function container(): Promise<Runtime | undefined> {
  for (const engine of ["docker", "podman"]) {
    if (await run(engine, ["info"], { timeoutMs: 5_000 }) !== undefined) return inside(engine);
  }
  return undefined;
}

function inside(engine: string): Runtime {
  const mounted = (folder: string) => ["--network", "host", "-v", `${folder}:/slipstream`];
  const tool = (folder: string, ...args: string[]) =>
    run(engine, ["run", "--rm", ...mounted(folder), IMAGE, ...args], { timeoutMs: 300_000 });
  return {
    dataFolder: () => "/slipstream/data",
    async format(folder) {
      const storage = ["/opt/kafka/bin/kafka-storage.sh", "format", "-t", "c2xpcHN0cmVhbS10ZXN0MQ"];
      if (await tool(folder, ...storage, "-c", "/slipstream/server.properties") === undefined) {
        throw new Error(`Cannot format the broker's storage in a container of ${IMAGE}`);
      }
    },
    async run(folder, detached): Promise<Running> {
      const name = `slipstream-${crypto.randomUUID()}`;
      const server = ["/opt/kafka/bin/kafka-server-start.sh", "/slipstream/server.properties"];
      const args = ["run", "-d", "--name", name, ...mounted(folder), IMAGE, ...server];
      if (await run(engine, args, { timeoutMs: 60_000 }) === undefined) {
        throw new Error(`Cannot start a container of ${IMAGE} with ${engine}`);
      }
      const child = detached ? undefined : supervise(SUPERVISED, [engine, name, folder], false);
      await child?.stdout.cancel();
      return {
        ended: detached
          ? new Promise(() => {})
          : run(engine, ["wait", name], { timeoutMs: 2 ** 31 - 1 }),
        handle: [engine, "rm", "-f", name],
        async signal(kind) {
          await run(engine, [kind === "STOP" ? "pause" : "unpause", name]);
        },
        async kill() {
          await run(engine, ["rm", "-f", name]);
          await child?.stdin.close().catch(() => {});
          await child?.status;
        },
      };
    },
  };
}
