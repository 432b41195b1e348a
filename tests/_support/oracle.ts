import type { StatusEvent } from "../../mod.ts";
import type { FlowSpec, GraphSpec, PolicySpec } from "./simulated_graph.ts";
import type { Handed } from "./simulated_source.ts";

/** A message, or something made from one. */
export interface Value {
  readonly id: string;
  /** The flows that it went through, from its source. */
  readonly path: string;
  /** Its place among those of the same path. */
  readonly order: readonly number[];
  readonly depth: number;
  /** 0 or 1: a gate may hold either. */
  readonly partition: number;
  /** What it is in front of the pipes of the flow that it is in. */
  readonly taken: readonly Value[];
  /** What its hand-out is recorded in; absent in sources that nobody acknowledges to. */
  readonly handed?: Handed;
}

/** One way of a value through the sinks of the flow that made it. */
interface Output {
  readonly flow: string;
  readonly value: Value;
  /** For each sink: how often it failed, and whether nothing is to be done any more. */
  readonly sinks: { failures: number; writing: boolean; settled: boolean }[];
}

/** What became of a value, or of a batch of them, in one flow. */
interface Fate {
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

interface FlowRecord {
  readonly spec: FlowSpec;
  readonly entered: Set<Value>;
  readonly fates: Map<Value, Fate>;
  /** For each path, the place of the last value that was handled. */
  readonly last: Map<string, readonly number[]>;
  running: Fate | undefined;
  /** True after an error that stops. */
  dead: boolean;
}

/**
 * Says what an app must and must not do, from nothing but the graph and what the user's functions of that
 * graph saw: it shares no code with the engine. What is broken is collected in `broken`, since what a
 * handler throws is the engine's to deal with.
 */
export class Oracle {
  readonly broken: string[] = [];
  /** Everything that user functions saw, in order, for whoever looks for a cause. */
  readonly trace: string[] = [];
  /** Errors that end the run by the policy of their flow. */
  readonly fatal = new Set<unknown>();
  /** True once the run is over: nothing may begin any more. */
  over = false;

  readonly #flows: Map<string, FlowRecord>;
  readonly #readers = new Map<string, string[]>();
  readonly #outputs = new Map<Value, Output>();
  /** What every source handed out. */
  readonly #roots: { source: string; value: Value; dropped: boolean; done: boolean }[] = [];
  readonly #paused = new Map<string, number>();
  readonly #done = new Map<string, WeakSet<Value>>();
  /** For values in sinks that flush: those that are flushed. */
  readonly #unflushed = new Set<Value>();

  constructor(readonly graph: GraphSpec) {
    this.#flows = new Map(graph.flows.map((spec) => [spec.name, {
      spec,
      entered: new Set<Value>(),
      fates: new Map<Value, Fate>(),
      last: new Map(),
      running: undefined,
      dead: false,
    }]));
    for (const { name, reads } of graph.flows) {
      this.#done.set(name, new WeakSet());
      for (const read of reads) {
        this.#readers.set(read, [...this.#readers.get(read) ?? [], name]);
      }
    }
  }

  /** The app tells what happens; only for the trace. */
  tells(event: StatusEvent): void {
    if (event.type === "flow_ended") this.#note(`${event.flow} has ended`);
    if (event.type === "source_ended") this.#note(`${event.source} has ended`);
    if (event.type === "error") this.#note(`the app fails: ${event.error}`);
    if (event.type === "stopping") this.#note("the app stops");
  }

  /** A source hands out a message. */
  handsOut(source: string, serial: number, handed?: Handed): Value {
    const taken: Value[] = [];
    const value: Value = {
      id: `${source}#${serial}`,
      path: source,
      order: [serial],
      depth: 0,
      partition: serial % 2,
      taken,
      ...(handed && { handed }),
    };
    taken.push(value);
    this.#note(`hand out ${value.id}${handed ? ` (position ${handed.position})` : ""}`);
    this.#must(!this.over || handed === undefined, `${value.id} is handed out after the end`);
    this.#roots.push({ source, value, dropped: false, done: false });
    return value;
  }

  /** A pipe changes a value. */
  mapped(value: Value, by: string): Value {
    return { ...value, id: `${value.id}|${by}` };
  }

  /** The first user function of a flow sees a value. */
  enters(flow: string, value: Value): void {
    const { entered, spec } = this.#flow(flow);
    for (const each of value.taken) {
      if (entered.has(each)) continue;
      entered.add(each);
      this.#note(`${flow} takes ${each.id}`);
      this.#must(!this.over, `${flow} takes ${each.id} after the end`);
      if (spec.reads.length > 1) continue; // its turn in the merge came before
      const source = spec.reads[0]!;
      const others = this.#readers.get(source)!.some((other) =>
        other !== flow && (this.#flow(other).entered.has(each) || this.#isBlind(other))
      );
      if (others || this.#isBlind(flow)) continue; // lock-step: what one flow has begun, all finish
      this.#must(!this.#paused.get(source), `${flow} takes ${each.id} while ${source} is paused`);
      const partition = `${source}/${each.partition}`;
      this.#must(
        !this.#paused.get(partition),
        `${flow} takes ${each.id} while ${partition} is held`,
      );
      const root = this.#roots.find((root) => root.value === each);
      this.#must(!root?.dropped, `${flow} takes ${each.id} of an epoch before the seek`);
    }
  }

  /** A filter leaves a value out. */
  filtered(flow: string, value: Value): void {
    this.#note(`${flow} filters ${value.id}`);
    const fate = this.#fate(flow, value.taken);
    fate.settled = true;
  }

  /** A handler is called. */
  begins(flow: string, values: readonly Value[]): Fate {
    const record = this.#flow(flow);
    for (const value of values) this.enters(flow, value);
    const taken = values.flatMap((value) => value.taken);
    const id = taken.map((value) => value.id).join("+");
    this.#note(`${flow} begins ${id}`);
    this.#must(!this.over, `${flow} is called for ${id} after the end`);
    this.#must(record.running === undefined, `${flow} is called for ${id} during another call`);
    this.#must(!record.dead, `${flow} is called for ${id} after it failed`);
    const before = record.fates.get(taken[0]!);
    const fate = this.#fate(flow, taken);
    this.#must(
      before === undefined || (!fate.settled && fate.failures === fate.calls),
      `${flow} is called for ${id} again`,
    );
    if (before === undefined) { for (const value of taken) this.#inOrder(record, value); }
    for (const other of new Set(record.fates.values())) {
      if (other === fate || other.settled && other.outputs.every((output) => this.#sunk(output))) {
        continue;
      }
      this.#must(
        false,
        `${flow} is called for ${id} before ${other.taken[0]!.id} is in every sink`,
      );
    }
    fate.calls++;
    fate.running = true;
    record.running = fate;
    return fate;
  }

  /** A handler gives a value. */
  gives(flow: string, fate: Fate, index: number): Value {
    const { spec } = this.#flow(flow);
    const first = fate.taken[0]!;
    const batched = spec.pipes.some(({ kind }) => kind === "batch");
    const taken: Value[] = [];
    const value: Value = {
      id: `${fate.taken.map(({ id }) => id).join("+")}>${flow}.${fate.calls}.${index}`,
      path: `${batched ? "batch" : first.path}>${flow}`,
      order: batched
        ? [new Set(this.#flow(flow).fates.values()).size, fate.calls, index]
        : [...first.order, fate.calls, index],
      depth: Math.max(...fate.taken.map(({ depth }) => depth)) + 1,
      partition: index % 2,
      taken,
    };
    taken.push(value);
    const output: Output = {
      flow,
      value,
      sinks: spec.sinks.map(() => ({ failures: 0, writing: false, settled: false })),
    };
    fate.outputs.push(output);
    this.#outputs.set(value, output);
    this.#note(`${flow} gives ${value.id}`);
    return value;
  }

  /** A generator is resumed after it gave a value. */
  resumed(flow: string, value: Value): void {
    this.#must(this.#sunk(this.#outputs.get(value)!), `${flow} resumes before ${value.id} is sunk`);
  }

  /** A handler returns. */
  ends(flow: string, fate: Fate): void {
    this.#note(`${flow} ends ${fate.taken[0]!.id}`);
    this.#stops(flow, fate);
    fate.settled = true;
  }

  /** A generator is closed before its end, since one of its values cannot be sunk. */
  closed(flow: string, fate: Fate): void {
    this.#note(`${flow} closes ${fate.taken[0]!.id}`);
    this.#stops(flow, fate);
  }

  /** A handler throws; `decide` says whether its policy follows now, and not later. */
  fails(flow: string, fate: Fate, error: unknown, decide: boolean): void {
    this.#note(`${flow} fails on ${fate.taken[0]!.id}`);
    this.#stops(flow, fate);
    fate.failures++;
    if (decide) this.decides(flow, fate, error);
  }

  /** The policy of a flow meets a failure that is not to be repeated. */
  decides(flow: string, fate: { failures: number; settled: boolean }, error: unknown): void {
    const record = this.#flow(flow);
    const { attempts, otherwise } = record.spec.policy;
    if (fate.failures <= attempts) return;
    if (otherwise === "skip") fate.settled = true;
    if (otherwise === "stop") this.stops(flow, error);
  }

  /** An error that nobody deals with. */
  stops(flow: string | undefined, error: unknown): void {
    this.#note(`${flow ?? "a source"} stops the app`);
    this.fatal.add(error);
    if (flow !== undefined) this.#flow(flow).dead = true;
  }

  /** A sink is given a value. */
  writes(value: Value, index: number): void {
    const output = this.#outputs.get(value)!;
    const { spec } = this.#flow(output.flow);
    const sink = output.sinks[index]!;
    this.#note(`${output.flow} writes ${value.id} to sink ${index}`);
    this.#must(!this.over, `${value.id} is written after the end`);
    this.#must(!sink.writing && !sink.settled, `${value.id} is written to sink ${index} again`);
    output.sinks.forEach((other, place) => {
      if (place >= index || spec.sinks[place]!.kind === "proxy") return;
      this.#must(other.settled, `${value.id} is written to sink ${index} before sink ${place}`);
    });
    sink.writing = true;
  }

  /** A sink has taken a value; `flushes` when it is safe only after a flush. */
  written(value: Value, index: number, flushes: boolean): void {
    const output = this.#outputs.get(value)!;
    output.sinks[index]!.writing = false;
    output.sinks[index]!.settled = true;
    if (flushes) this.#unflushed.add(value);
  }

  /** A sink throws. */
  refuses(value: Value, index: number, error: unknown, decide: boolean): void {
    const { flow, sinks } = this.#outputs.get(value)!;
    this.#note(`${flow} fails to write ${value.id} to sink ${index}`);
    const sink = sinks[index]!;
    sink.writing = false;
    sink.failures++;
    if (decide) this.decides(flow, sink, error);
  }

  /** The policy function of a flow has chosen what follows after the first failure of a step. */
  chosen(flow: string, failed: Failed, error: unknown): void {
    const step = this.#failing(flow, failed);
    if (step === undefined) this.#must(false, `${flow} meets an error of nobody: ${error}`);
    else this.decides(flow, step, error);
  }

  /** The dead-letter sink has taken a failure. */
  buried(flow: string, failed: Failed, error: unknown): void {
    this.#note(`${flow} buries ${failed.value.id}`);
    const step = this.#failing(flow, failed);
    const { attempts } = this.#flow(flow).spec.policy;
    this.#must(step !== undefined, `${flow} buries an error of nobody: ${error}`);
    this.#must(!step || step.failures > attempts, `${flow} buries ${failed.value.id} too early`);
    if (step !== undefined) step.settled = true;
  }

  /** Everything given to the sinks that flush is safe. */
  flushed(values: Iterable<Value>): void {
    for (const value of values) this.#unflushed.delete(value);
  }

  /** The reasons for which a source is paused, or a partition of it is held, changed. */
  paused(source: string, reasons: number): void {
    this.#note(`${source} is paused for ${reasons} reasons`);
    this.#paused.set(source, reasons);
  }

  /** A source is moved: what no flow has begun belongs to an epoch that is over. */
  seeks(source: string, position: number): void {
    this.#note(`${source} is moved to ${position}`);
    for (const root of this.#roots) {
      if (root.source !== source) continue;
      root.dropped ||= !this.#readers.get(source)!.some((flow) =>
        this.#flow(flow).entered.has(root.value)
      );
    }
  }

  /** Positions are committed: everything below must be done and safe. */
  commits(source: string, watermark: number, epoch: number): void {
    this.#note(`${source} commits ${watermark}`);
    this.#must(!this.over, `${source} commits ${watermark} after the end`);
    for (const { value } of this.#roots) {
      const { handed } = value;
      if (value.path !== source || handed!.epoch !== epoch || handed!.position >= watermark) {
        continue;
      }
      this.#must(this.#isDone(value), `${value.id} is committed before it is done`);
      for (const made of this.#unflushed) {
        this.#must(
          !made.id.startsWith(`${value.id}>`),
          `${value.id} is committed before ${made.id} is flushed`,
        );
      }
    }
  }

  /** Checks what must hold whenever everything has come to rest. */
  check(): void {
    const exact = !this.graph.flows.some((flow) => this.#isHeavy(flow.name));
    for (const root of this.#roots) {
      const { handed, id } = root.value;
      if (handed === undefined || root.done && handed.acknowledged === 1) continue;
      this.#must(handed.acknowledged <= 1, `${id} is acknowledged ${handed.acknowledged} times`);
      root.done = this.#isDone(root.value);
      if (handed.acknowledged > 0) this.#must(root.done, `${id} is acknowledged before it is done`);
      else if (exact && !this.over) this.#must(!root.done, `${id} is done and not acknowledged`);
    }
  }

  /** Checks the end of a run that nothing but `fatal` errors may have shortened. */
  checkEnd(): void {
    for (const { value, dropped } of this.#roots) {
      if (value.handed?.acknowledged === 1) continue;
      const begun = this.#readers.get(value.path)!.some((flow) =>
        this.#flow(flow).entered.has(value)
      );
      if (
        dropped ||
        (!begun &&
          (this.fatal.size > 0 || this.graph.ending !== "natural" ||
            value.handed !== undefined && this.graph.seeks))
      ) continue;
      const done = this.#isDone(value);
      if (this.fatal.size === 0) this.#must(done, `${value.id} is lost`);
      if (done) {
        this.#must(value.handed === undefined, `${value.id} is done and never acknowledged`);
      }
    }
    for (const [name, { running }] of this.#flows) {
      this.#must(running === undefined, `${name} is still in a call at the end`);
    }
    if (!this.graph.tight) this.#checkDrained();
  }

  /** Checks that flows with no failed one behind them finished everything that they had begun. */
  #checkDrained(): void {
    for (const [name, { entered, fates }] of this.#flows) {
      if (this.#isCutOff(name)) continue;
      for (const value of entered) {
        this.#must(this.#isDoneIn(name, value), `${name} never finishes ${value.id}`);
      }
      for (const { settled, taken } of fates.values()) {
        this.#must(settled, `${name} never handles ${taken[0]!.id}`);
      }
    }
  }

  /** Says whether a flow has failed, or writes to a Proxy whose reader is cut off. */
  #isCutOff(flow: string, seen: Set<string> = new Set()): boolean {
    const { dead, spec } = this.#flow(flow);
    if (dead || seen.has(flow)) return dead;
    seen.add(flow);
    return spec.sinks.some(({ proxy }) =>
      proxy !== undefined &&
      this.#readers.get(proxy)!.some((reader) => this.#isCutOff(reader, seen))
    );
  }

  #failing(
    flow: string,
    { at, value }: Failed,
  ): { failures: number; settled: boolean } | undefined {
    if (at === "handler") return this.#flow(flow).fates.get(value.taken[0]!);
    const { sinks } = this.#outputs.get(value)!;
    return sinks.find(({ failures, settled }) => failures > 0 && !settled);
  }

  #stops(flow: string, fate: Fate): void {
    fate.running = false;
    this.#flow(flow).running = undefined;
  }

  #inOrder({ spec, last }: FlowRecord, { id, path, order }: Value): void {
    const before = last.get(path);
    last.set(path, order);
    if (before === undefined) return;
    const place = order.findIndex((n, index) => n !== before[index]);
    this.#must(order[place]! > before[place]!, `${spec.name} handles ${id} out of order`);
  }

  #fate(flow: string, taken: readonly Value[]): Fate {
    const { fates } = this.#flow(flow);
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

  /** Says whether every sink of the flow is done with a value, Proxies left aside. */
  #sunk({ flow, sinks }: Output): boolean {
    const { spec } = this.#flow(flow);
    return sinks.every(({ settled }, index) => settled || spec.sinks[index]!.kind === "proxy");
  }

  /** Says whether a value of a source, and everything made from it, is done in every flow. */
  #isDone(value: Value): boolean {
    return this.#readers.get(value.path)!.every((flow) => this.#isDoneIn(flow, value));
  }

  #isDoneIn(flow: string, value: Value): boolean {
    const known = this.#done.get(flow)!;
    if (known.has(value)) return true;
    const fate = this.#flow(flow).fates.get(value);
    if (fate === undefined || !fate.settled) return false;
    const { spec } = this.#flow(flow);
    for (const { value: made, sinks } of fate.outputs) {
      for (const [index, { settled }] of sinks.entries()) {
        const { proxy } = spec.sinks[index]!;
        const done = settled || proxy !== undefined &&
            this.#readers.get(proxy)!.every((reader) => this.#isDoneIn(reader, made));
        if (!done) return false;
      }
    }
    known.add(value);
    return true;
  }

  /** Says whether a flow has an opaque pipe: nobody can see what such a pipe has in it. */
  #isHeavy(flow: string): boolean {
    return this.#flow(flow).spec.pipes.some(({ kind }) =>
      kind === "generator" || kind === "transform stream"
    );
  }

  /** Says whether a flow may have taken a value before the first user function sees it. */
  #isBlind(flow: string): boolean {
    const first = this.#flow(flow).spec.pipes[0]?.kind;
    return first !== undefined && first !== "map" && first !== "filter";
  }

  #flow(name: string): FlowRecord {
    return this.#flows.get(name)!;
  }

  #note(what: string): void {
    this.trace.push(what);
  }

  #must(holds: boolean, otherwise: string): void {
    if (!holds) this.broken.push(otherwise);
  }
}

/** Says whether `policy` is stop, in the form that costs the engine nothing. */
export function isPlainStop({ form, attempts, otherwise }: PolicySpec): boolean {
  return form === "static" && attempts === 0 && otherwise === "stop";
}
