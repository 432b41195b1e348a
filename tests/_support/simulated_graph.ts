import type { Random } from "../../src/testing/random.ts";

/** A source of the graph; only a `simulated` one is acknowledged to and can be moved. */
export interface SourceSpec {
  readonly name: string;
  readonly kind: "array" | "generator" | "async generator" | "stream" | "simulated";
  readonly count: number;
  readonly failsAt: number | undefined;
}

export interface ProxySpec {
  readonly name: string;
  readonly bound: number;
}

export type PipeSpec =
  | { readonly kind: "map" | "filter" | "generator" | "collecting generator" | "transform stream" }
  | { readonly kind: "batch"; readonly max: number; readonly ms: number };

export interface SinkSpec {
  readonly kind: "function" | "async function" | "stream" | "object" | "proxy";
  readonly proxy?: string;
}

export interface PolicySpec {
  readonly form: "static" | "function";
  readonly attempts: number;
  readonly otherwise: "stop" | "skip" | "deadLetter";
}

export interface FlowSpec {
  readonly name: string;
  /** Names of sources and Proxies; several are merged. */
  readonly reads: readonly string[];
  readonly pipes: readonly PipeSpec[];
  readonly handler: "plain" | "async" | "generator" | "async generator";
  readonly sinks: readonly SinkSpec[];
  readonly policy: PolicySpec;
  /** How it handles its messages concurrently; undefined where it does not. */
  readonly concurrency?: {
    readonly max: number;
    readonly ahead: number;
    /** How many keys the messages have; none with 0. */
    readonly keys: number;
  };
}

/** A flow that is not connected yet. */
type Draft = FlowSpec & { reads: string[]; sinks: SinkSpec[] };

export interface GraphSpec {
  readonly sources: readonly SourceSpec[];
  readonly proxies: readonly ProxySpec[];
  readonly flows: readonly FlowSpec[];
  /** How often a step fails, from 0 to 1. */
  readonly failureRate: number;
  readonly pauses: boolean;
  readonly seeks: boolean;
  /** True when flows write to Proxies that stand before them. */
  readonly cyclic: boolean;
  /** True when a cycle may have too few places: then a CycleError is no surprise. */
  readonly tight: boolean;
  readonly ending: "natural" | "stop" | "hard";
}

const HANDLERS = ["plain", "async", "generator", "async generator"] as const;
const SOURCES = ["array", "generator", "async generator", "stream"] as const;
const SINKS = ["function", "async function", "async function", "stream", "object"] as const;

/** Draws a graph. */
export function drawGraph(random: Random): GraphSpec {
  const cyclic = random.chance(0.2);
  const tight = cyclic && random.chance(0.3);
  const failureRate = random.chance(0.4) ? 0 : random.pick([0.01, 0.03, 0.1]);
  const sources = times(1 + random.integer(3), (n) => drawSource(`s${n}`, failureRate, random));
  const proxies = times(random.integer(4), (n): ProxySpec => ({
    name: `p${n}`,
    bound: cyclic && !tight ? 10_000 : random.pick([1, 1, 2, 3, 8, 256]),
  }));
  const names = [...sources, ...proxies].map(({ name }) => name);
  const inputs = [
    ...names.map((name) => [name]),
    ...times(random.integer(3), () => [random.pick(names)]),
  ].map((reads, n) =>
    n > 0 && random.chance(0.2) ? [...new Set([...reads, random.pick(names)])] : reads
  );
  const flows = inputs.map((reads, n) => drawFlow(`f${n}`, reads, { failureRate, cyclic }, random));
  connect(flows, names, proxies, cyclic, random);
  return {
    sources,
    proxies,
    flows: shuffled(flows, random),
    failureRate,
    pauses: random.chance(0.5),
    seeks: random.chance(0.4),
    cyclic,
    tight,
    ending: random.pick(["natural", "natural", "natural", "stop", "hard"]),
  };
}

function drawSource(name: string, failureRate: number, random: Random): SourceSpec {
  const count = random.pick([0, 1, 2, 5, 8, 12]);
  return {
    name,
    kind: random.chance(0.6) ? "simulated" : random.pick(SOURCES),
    count,
    failsAt: random.chance(failureRate) ? random.integer(count + 1) : undefined,
  };
}

function drawFlow(
  name: string,
  reads: string[],
  { failureRate, cyclic }: { failureRate: number; cyclic: boolean },
  random: Random,
): Draft {
  const max = 1 + random.integer(4);
  const concurrency = random.chance(0.3)
    ? { max, ahead: max + random.integer(8), keys: random.integer(5) }
    : undefined;
  const pipes = drawPipes(cyclic, random);
  return {
    name,
    reads,
    pipes: concurrency ? pipes.filter(({ kind }) => kind === "map" || kind === "filter") : pipes,
    ...(concurrency && { concurrency }),
    handler: random.pick(HANDLERS),
    sinks: times(random.integer(3), () => ({ kind: random.pick(SINKS) })),
    policy: {
      form: random.pick(["static", "static", "function"]),
      attempts: random.pick([0, 0, 1, 2]),
      otherwise: failureRate === 0 ? "stop" : random.pick(["stop", "skip", "skip", "deadLetter"]),
    },
  };
}

/** What holds everything back until its end has no place in a circle, which ends when it is empty. */
function drawPipes(cyclic: boolean, random: Random): PipeSpec[] {
  const pipes: PipeSpec[] = [];
  while (pipes.length < 2 && random.chance(0.3)) {
    const opaque = random.pick<Exclude<PipeSpec["kind"], "batch">>([
      "generator",
      cyclic ? "generator" : "collecting generator",
      "transform stream",
    ]);
    pipes.push({ kind: random.chance(0.25) ? opaque : random.pick(["map", "filter"]) });
  }
  if (random.chance(0.2)) {
    pipes.push({
      kind: "batch",
      max: 1 + random.integer(4),
      ms: random.pick([Infinity, 5, 20]),
    });
  }
  return pipes;
}

/** Gives every Proxy a flow that writes to it: one that stands before it, unless the graph is cyclic. */
function connect(
  flows: readonly (Draft)[],
  names: readonly string[],
  proxies: readonly ProxySpec[],
  cyclic: boolean,
  random: Random,
): void {
  const place = (name: string) => names.indexOf(name);
  const write = (flow: Draft, proxy: string) => {
    if (flow.sinks.some((sink) => sink.proxy === proxy)) return;
    flow.sinks.splice(random.integer(flow.sinks.length + 1), 0, { kind: "proxy", proxy });
  };
  for (const { name } of proxies) {
    const before = flows.filter(({ reads }) => reads.every((read) => place(read) < place(name)));
    for (let n = 1 + random.integer(2); n > 0; n--) write(random.pick(before), name);
  }
  if (cyclic && proxies.length > 0) {
    for (let n = 1 + random.integer(2); n > 0; n--) {
      write(random.pick(flows), random.pick(proxies).name);
    }
  }
  separate(flows);
}

/** Lets no flow read two Proxies that one flow writes to: it would get the same values twice. */
function separate(flows: readonly (Draft)[]): void {
  for (const { reads } of flows) {
    const twice = flows.some(({ sinks }) =>
      reads.every((read) => sinks.some(({ proxy }) => proxy === read))
    );
    if (twice) reads.splice(1);
  }
}

function times<T>(count: number, make: (n: number) => T): T[] {
  return Array.from({ length: count }, (_, n) => make(n));
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const rest = [...items];
  return items.map(() => rest.splice(random.integer(rest.length), 1)[0]!);
}

/** Returns whether `policy` is stop, in the form that costs the engine nothing. */
export function isPlainStop({ form, attempts, otherwise }: PolicySpec): boolean {
  return form === "static" && attempts === 0 && otherwise === "stop";
}
