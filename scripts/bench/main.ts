/**
 * Measures the engine beside its floor and the Python reference, in one process and one run.
 *
 * ```sh
 * deno task bench                       # everything
 * deno task bench flow/plain memory     # what these names begin
 * deno task bench --json --rounds=31    # one JSON object a line
 * ```
 */
import { parseArgs } from "node:util";
import { benchmarks as all, memoryRuns } from "./all.ts";
import { measureHeap } from "./heap.ts";
import { Peer } from "./peer.ts";
import { header, jsonLine, tableLine } from "./report.ts";
import { measure } from "./rounds.ts";

const { values, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: { json: { type: "boolean" }, rounds: { type: "string", default: "15" } },
});

const rounds = Number(values.rounds);
if (!Number.isSafeInteger(rounds) || rounds < 1) {
  throw new RangeError(
    `Cannot run the rounds as --rounds must be a whole number: "${values.rounds}"`,
  );
}

function chosen<T extends { name: string }>(all: readonly T[]): T[] {
  if (positionals.length === 0) return [...all];
  return all.filter(({ name }) => positionals.some((start) => name.startsWith(start)));
}

const benchmarks = chosen(all);
const runs = chosen(memoryRuns);
if (benchmarks.length + runs.length === 0) {
  const names = [...all, ...memoryRuns].map(({ name }) => name).join(", ");
  throw new RangeError(`Cannot find a benchmark of that name: there are ${names}`);
}

const print = values.json ? jsonLine : tableLine;
if (!values.json) console.log(header);
{
  await using peer = benchmarks.length > 0 ? await Peer.start() : undefined;
  for (const benchmark of benchmarks) console.log(print(await measure(benchmark, rounds, peer)));
}
for (const run of runs) console.log(print(await measureHeap(run)));
