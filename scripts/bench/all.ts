/** All that `deno task bench` can run. */
import type { Benchmark, MemoryRun } from "./benchmark.ts";
import { cache, cacheMemory } from "./cache.ts";
import { checkpoint } from "./checkpoint.ts";
import { flow } from "./flow.ts";
import { memory } from "./memory.ts";

/** The benchmarks, which run in rounds. */
export const benchmarks: readonly Benchmark[] = [...flow, ...cache, ...checkpoint];

/** The runs whose heap is measured. */
export const memoryRuns: readonly MemoryRun[] = [...memory, ...cacheMemory];
