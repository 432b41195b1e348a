/** What a benchmark is, and what came out of one. */

/** The two sides of a benchmark that run in a worker of its own. */
export type Side = "ours" | "floor";

/** The same work done by the engine, by a bare loop and by the Python reference. */
export interface Benchmark {
  /** The name, also that of the peer's function: `flow/plain`. */
  name: string;
  /** Messages in one round. */
  count: number;
  /**
   * The work done by the engine; throws when the outcome is wrong. Where not all of it counts, it returns
   * the milliseconds that do.
   */
  ours(count: number): Promise<number | void>;
  /** The same calls in a bare loop. */
  floor?: (count: number) => Promise<number | void>;
  /** Messages in one round of the Python reference; absent when there is nothing to compare with. */
  peerCount?: number;
  /** Another program that does the same work in the place of the Python reference. */
  rival?: Rival;
  /** What the ratios must reach. */
  goals?: Goals;
}

/** A program beside the benchmarks that does the work of one, asked for one round at a time. */
export interface Rival {
  /** Which: `peer.ts` says how it is started. */
  program: "kafkats" | "quix" | "streams";
  /** What it is asked for a round of so many messages. */
  request: (count: number) => Promise<object>;
}

/** What the ratios of a benchmark must reach. */
export interface Goals {
  /** Of the floor's speed. */
  floor?: number;
  /** Of the peer's speed: the Python reference, or the rival. */
  peer?: number;
}

/** A long run whose heap must stay flat. */
export interface MemoryRun {
  /** The name: `memory/slow-sink`. */
  name: string;
  /** Messages in the run. */
  count: number;
  /** Does the work and calls `seen` for every message at its end. */
  run(count: number, seen: () => void): Promise<void>;
}

/** Figures of one run that are no speed. */
export interface Observation {
  /** The name: `topic/roundtrip`. */
  name: string;
  /** The unit of the figures. */
  unit: string;
  /** Does the work and returns the figures by name. */
  observe(): Promise<Record<string, number>>;
}

/** One line of the report; the first four fields are the line of `--json`. */
export interface Result {
  /** The name of the benchmark. */
  name: string;
  /** Messages a second: the median of the rounds. */
  perSecond: number;
  /** The engine's speed by the floor's: the median of the rounds; null without a floor. */
  floorRatio: number | null;
  /** The engine's speed by the peer's; null without one. */
  peerRatio: number | null;
  /** Growth of the heap, in a memory run. */
  bytesPerMessage?: number;
  /** What the ratios must reach. */
  goals?: Goals;
}
