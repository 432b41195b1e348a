/**
 * Where the time of one side of a benchmark goes, by area, and how much memory its process takes: in a process of its
 * own under V8's sampling profiler.
 */
import type { Observation, Side } from "./benchmark.ts";

const ROUNDS = 3;

/** The first pattern that a function's file, or its name where it has none, matches says where it belongs. */
const AREAS: readonly (readonly [area: string, pattern: RegExp])[] = [
  ["idle", /^\(idle\)$/],
  ["collector", /^\(garbage collector\)$/],
  ["kafkajs", /\/kafkajs\/\d/],
  ["record batches", /\/src\/kafka\/records\//],
  [
    "text and bytes",
    /\/src\/codecs\/|text_encoding|internal\/buffer|encoding_slice|encode_into|writeBuffer/,
  ],
  ["Topic and client", /\/src\/kafka\//],
  ["engine", /\/src\/(flow|app|clock|status)/],
  ["state", /\/src\/cache\//],
  ["the program", /\/scripts\/bench\//],
];

/** A profile of V8, as far as it is read here. */
interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Returns the share of the time that was not idle of each area, in percent, the largest first. */
function byArea({ nodes, samples, timeDeltas }: Profile): Record<string, number> {
  const areaOf = new Map(nodes.map(({ id, callFrame: { functionName, url } }) => {
    const text = url === "" ? functionName : url;
    const area = AREAS.find(([, pattern]) => pattern.test(text))?.[0];
    return [id, area ?? "runtime and platform"];
  }));
  const times = new Map<string, number>();
  for (const [i, id] of samples.entries()) {
    const area = areaOf.get(id)!;
    if (area !== "idle") times.set(area, (times.get(area) ?? 0) + timeDeltas[i]!);
  }
  const all = times.values().reduce((sum, time) => sum + time, 0);
  const shares = [...times].map(([area, time]) => [area, 100 * time / all] as const);
  return Object.fromEntries(shares.sort(([, a], [, b]) => b - a));
}

/** Profiles one side of a benchmark. */
export function profile(name: string, benchmark: string, side: Side): Observation {
  return {
    name,
    unit: "% of the time that was not idle; peak memory in MB",
    async observe() {
      const folder = await Deno.makeTempDir();
      try {
        // The profiler takes memory of its own.
        const peak = await runAlone(benchmark, side);
        await runAlone(benchmark, side, ["--cpu-prof", `--cpu-prof-dir=${folder}`]);
        const [file] = await Array.fromAsync(Deno.readDir(folder));
        const shares = byArea(JSON.parse(await Deno.readTextFile(`${folder}/${file!.name}`)));
        return { ...shares, "peak MB": peak };
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  };
}

/** Runs rounds of one side in a process of its own; returns its peak memory in MB, NaN where nobody tells it. */
async function runAlone(benchmark: string, side: Side, flags: string[] = []): Promise<number> {
  const worker = new URL("./profile_worker.ts", import.meta.url).pathname;
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", ...flags, worker, benchmark, side, String(ROUNDS)],
    stdout: "piped",
    stderr: "null",
  }).output();
  if (!success) throw new Error(`${benchmark} failed`);
  return Number(new TextDecoder().decode(stdout));
}
