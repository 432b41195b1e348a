/** The inside of a profile: runs some rounds of one side of a benchmark, and writes the peak memory, in MB. */
import { benchmarks } from "./all.ts";
import type { Side } from "./benchmark.ts";

const [name, side, rounds] = Deno.args as [string, Side, string];
const benchmark = benchmarks.find((one) => one.name === name);
const work = benchmark?.[side];
if (benchmark === undefined || work === undefined) {
  throw new Error(`There is no ${side} of ${name}`);
}
for (let round = 0; round < Number(rounds); round++) await work(benchmark.count);
const status = await Deno.readTextFile("/proc/self/status").catch(() => "");
const peak = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? NaN); // only Linux tells it
console.log(peak / 1024);
