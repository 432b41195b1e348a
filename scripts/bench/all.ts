/** All that `deno task bench` can run. */
import type { Benchmark, MemoryRun, Observation } from "./benchmark.ts";
import { cache, cacheMemory } from "./cache.ts";
import { checkpoint } from "./checkpoint.ts";
import { concurrency } from "./concurrency.ts";
import { delivery } from "./delivery.ts";
import { flow } from "./flow.ts";
import { memory } from "./memory.ts";
import { observe } from "./observe.ts";
import { recordBatches } from "./records.ts";
import { topic } from "./topic.ts";
import { topicFigures } from "./topic_figures.ts";
import { topicThrough } from "./topic_through.ts";
import { windows, windowsMemory } from "./windows.ts";
import { windowsTopic } from "./windows_topic.ts";

/** The benchmarks, which run in rounds. */
export const benchmarks: readonly Benchmark[] = [
  ...flow,
  ...cache,
  ...recordBatches,
  ...topic,
  ...topicThrough,
  ...checkpoint,
  ...delivery,
  ...windows,
  ...windowsTopic,
  ...concurrency,
  ...observe,
];

/** The runs whose heap is measured. */
export const memoryRuns: readonly MemoryRun[] = [...memory, ...cacheMemory, ...windowsMemory];

/** What is measured in other figures than messages a second. */
export const observations: readonly Observation[] = topicFigures;
