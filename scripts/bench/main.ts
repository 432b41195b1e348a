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
import { brokersFromEnvironment, KafkaServer } from "../kafka/server.ts";
import { benchmarks as all, memoryRuns, observations } from "./all.ts";
import { measureHeap } from "./heap.ts";
import { Peer } from "./peer.ts";
import { figuresLine, header, jsonLine, tableLine } from "./report.ts";
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
const observed = chosen(observations);
if (benchmarks.length + runs.length + observed.length === 0) {
  const names = [...all, ...memoryRuns, ...observations].map(({ name }) => name).join(", ");
  throw new RangeError(`Cannot find a benchmark of that name: there are ${names}`);
}

/** Starts a broker for the benchmarks that need one, unless one is named. */
async function broker(): Promise<KafkaServer | undefined> {
  const needed = [...benchmarks, ...observed].some(({ name }) =>
    /^((topic|delivery)\/|windows\/topic)/.test(name)
  );
  if (!needed || brokersFromEnvironment()) return undefined;
  const server = await KafkaServer.start({ note: console.error });
  Deno.env.set("KAFKA_BROKERS", server.brokers.join());
  return server;
}

await using _broker = await broker();
const print = values.json ? jsonLine : tableLine;
if (!values.json) console.log(header);
{
  await using peer = benchmarks.length > 0 ? await Peer.start("reference") : undefined;
  for (const benchmark of benchmarks) console.log(print(await measure(benchmark, rounds, peer)));
}
for (const run of runs) console.log(print(await measureHeap(run)));
for (const observation of observed) {
  const figures = await observation.observe();
  const { name } = observation;
  console.log(
    values.json ? JSON.stringify({ name, ...figures }) : figuresLine(observation, figures),
  );
}
