import type { FlowSpec, GraphSpec } from "./simulated_graph.ts";
import { keyOf, type Value } from "./values.ts";

/** One way of a value through the sinks of the flow that made it. */
export interface Output {
  readonly flow: string;
  readonly value: Value;
  /** For each sink: how often it failed, and whether nothing is to be done any more. */
  readonly sinks: { failures: number; writing: boolean; settled: boolean }[];
}

/** What became of a value, or of a batch of them, in one flow. */
export interface Fate {
  readonly taken: readonly Value[];
  readonly outputs: Output[];
  calls: number;
  failures: number;
  running: boolean;
  settled: boolean;
}

/** The step that an error of the engine is about. */
export interface Failed {
  readonly at: "handler" | "sink";
  readonly value: Value;
}

export interface FlowRecord {
  readonly spec: FlowSpec;
  readonly entered: Set<Value>;
  readonly fates: Map<Value, Fate>;
  /** For each path, the place of the last value that was handled. */
  readonly last: Map<string, readonly number[]>;
  /** The values on which a pipe has failed, and not succeeded since. */
  readonly inPipes: Map<Value, { failures: number; settled: boolean }>;
  /** What it handles now: one, unless it is concurrent. */
  readonly running: Set<Fate>;
  /** True after an error that stops. */
  dead: boolean;
}

/** What is known of a run of a graph: what became of every value in every flow. */
export class Ledger {
  readonly flows: Map<string, FlowRecord>;
  /** The flows that read a source or a Proxy. */
  readonly readers: Map<string, string[]> = new Map();
  /** The values that handlers gave. */
  readonly outputs: Map<Value, Output> = new Map();

  readonly #done = new Map<string, WeakSet<Value>>();

  constructor(graph: GraphSpec) {
    this.flows = new Map(graph.flows.map((spec) => [spec.name, {
      spec,
      entered: new Set<Value>(),
      fates: new Map<Value, Fate>(),
      last: new Map(),
      inPipes: new Map(),
      running: new Set<Fate>(),
      dead: false,
    }]));
    for (const { name, reads } of graph.flows) {
      this.#done.set(name, new WeakSet());
      for (const read of reads) {
        this.readers.set(read, [...this.readers.get(read) ?? [], name]);
      }
    }
  }

  fate(flow: string, taken: readonly Value[]): Fate {
    const { fates } = this.flow(flow);
    const known = fates.get(taken[0]!);
    if (known !== undefined) return known;
    const fate: Fate = {
      taken,
      outputs: [],
      calls: 0,
      failures: 0,
      running: false,
      settled: false,
    };
    for (const value of taken) fates.set(value, fate);
    return fate;
  }

  /** Returns whether every sink of the flow is done with a value, Proxies left aside. */
  sunk({ flow, sinks }: Output): boolean {
    const { spec } = this.flow(flow);
    return sinks.every(({ settled }, index) => settled || spec.sinks[index]!.kind === "proxy");
  }

  /** Returns whether a value of a source, and everything made from it, is done in every flow. */
  isDone(value: Value): boolean {
    return this.readers.get(value.path)!.every((flow) => this.isDoneIn(flow, value));
  }

  isDoneIn(flow: string, value: Value): boolean {
    const known = this.#done.get(flow)!;
    if (known.has(value)) return true;
    const fate = this.flow(flow).fates.get(value);
    if (fate === undefined || !fate.settled) return false;
    const { spec } = this.flow(flow);
    for (const { value: made, sinks } of fate.outputs) {
      for (const [index, { settled }] of sinks.entries()) {
        const { proxy } = spec.sinks[index]!;
        const done = settled || proxy !== undefined &&
            this.readers.get(proxy)!.every((reader) => this.isDoneIn(reader, made));
        if (!done) return false;
      }
    }
    known.add(value);
    return true;
  }

  /** True when no flow has an opaque pipe: nobody can see what such a pipe has in it. */
  get exact(): boolean {
    const exact = ["map", "filter", "batch"];
    return [...this.flows.values()].every(({ spec }) =>
      spec.pipes.every(({ kind }) => exact.includes(kind))
    );
  }

  /** Returns whether a flow may take messages ahead, or another one of the source does. */
  isAhead(source: string): boolean {
    return this.readers.get(source)!.some((flow) => this.flow(flow).spec.concurrency !== undefined);
  }

  /** Returns whether one flow handles two messages one after the other. */
  isInLine(flow: string, value: Value, other: Value): boolean {
    const { concurrency } = this.flow(flow).spec;
    if (concurrency === undefined) return true;
    const key = keyOf(value, concurrency.keys);
    return key !== undefined && key === keyOf(other, concurrency.keys);
  }

  /**
   * True when a flow has failed on one message, or one behind it, while others were in it: those are not acknowledged
   * either.
   */
  get isCut(): boolean {
    return this.flows.values().some(({ spec }) => spec.concurrency && this.isCutOff(spec.name));
  }

  /** Returns whether a flow may have taken a value before the first user function sees it. */
  isBlind(flow: string): boolean {
    const first = this.flow(flow).spec.pipes[0]?.kind;
    return first !== undefined && first !== "map" && first !== "filter";
  }

  flow(name: string): FlowRecord {
    return this.flows.get(name)!;
  }

  /** Notes that a pipe of a flow has failed; what its policy settles is settled in the flow. */
  failsInPipe(
    flow: string,
    value: Value,
    failures: number,
  ): { failures: number; settled: boolean } {
    const settle = () => this.fate(flow, value.taken).settled = true;
    const step = {
      failures,
      get settled() {
        return false;
      },
      set settled(_: boolean) {
        settle(); // a value that goes on may share its fate with others
      },
    };
    this.flow(flow).inPipes.set(value, step);
    return step;
  }

  /** The step of a flow that failed and is not settled. */
  failing(
    flow: string,
    { at, value }: Failed,
  ): { failures: number; settled: boolean } | undefined {
    const { inPipes, fates } = this.flow(flow);
    if (at === "handler") return inPipes.get(value) ?? fates.get(value.taken[0]!);
    const { sinks } = this.outputs.get(value)!;
    return sinks.find(({ failures, settled }) => failures > 0 && !settled);
  }

  /** Returns whether a flow has failed, or writes to a Proxy whose reader is cut off. */
  isCutOff(flow: string, seen: Set<string> = new Set()): boolean {
    const { dead, spec } = this.flow(flow);
    if (dead || seen.has(flow)) return dead;
    seen.add(flow);
    return spec.sinks.some(({ proxy }) =>
      proxy !== undefined &&
      this.readers.get(proxy)!.some((reader) => this.isCutOff(reader, seen))
    );
  }

  /** Returns whether a value that a flow begins to handle comes after those of the same path. */
  inOrder(flow: string, value: Value): boolean {
    const { order } = value;
    const { last } = this.flow(flow);
    const path = this.#line(flow, value);
    if (path === undefined) return true;
    const before = last.get(path);
    last.set(path, order);
    const place = order.findIndex((n, index) => n !== before?.[index]);
    return before === undefined || order[place]! > before[place]!;
  }

  /** Whose order a value keeps in a flow: those of its path with the same keys in concurrent flows; if any. */
  #line(flow: string, { id, path }: Value): string | undefined {
    let line = path;
    const whole = `${id}>${flow}.`;
    let at = whole.length;
    // From the end: in a cycle a value has been in a flow more than once, and a batch begins another path.
    for (const name of [...path.split(">").slice(1), flow].toReversed()) {
      at = whole.lastIndexOf(`>${name}.`, at - 1);
      const { concurrency } = this.flow(name).spec;
      if (concurrency === undefined) continue;
      const key = keyOf({ id: whole.slice(0, at) }, concurrency.keys);
      if (key === undefined) return undefined;
      line += ` ${key}`;
    }
    return line;
  }

  /** What a flow has begun, beside `current`, and not finished. */
  unfinished(flow: string, current: Fate): Fate[] {
    const [value] = current.taken;
    return [...new Set(this.flow(flow).fates.values())].filter((fate) =>
      fate !== current && this.isInLine(flow, value!, fate.taken[0]!) &&
      !(fate.settled && fate.outputs.every((output) => this.sunk(output)))
    );
  }

  /** How often a flow has begun something new. */
  handled(flow: string): number {
    return new Set(this.flow(flow).fates.values()).size;
  }

  /** Says what flows with no failed one behind them began and never finished. */
  undrained(): string[] {
    const undrained: string[] = [];
    for (const [name, { entered, fates }] of this.flows) {
      if (this.isCutOff(name)) continue;
      for (const value of entered) {
        if (!this.isDoneIn(name, value)) undrained.push(`${name} never finishes ${value.id}`);
      }
      for (const { settled, taken } of fates.values()) {
        if (!settled) undrained.push(`${name} never handles ${taken[0]!.id}`);
      }
    }
    return undrained;
  }
}
