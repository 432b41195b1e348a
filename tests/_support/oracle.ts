import { type Failed, type Fate, Ledger, type Output } from "./ledger.ts";
import type { GraphSpec } from "./simulated_graph.ts";
import type { Handed } from "./simulated_source.ts";
import { madeValue, rootValue, type Value } from "./values.ts";

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

  readonly #ledger: Ledger;
  /** What every source handed out. */
  readonly #roots: { source: string; value: Value; dropped: boolean; done: boolean }[] = [];
  readonly #paused = new Map<string, number>();
  /** What is in sinks that flush, and not flushed. */
  readonly #unflushed = new Set<Value>();

  constructor(readonly graph: GraphSpec) {
    this.#ledger = new Ledger(graph);
  }

  /** A source hands out a message. */
  handsOut(source: string, serial: number, handed?: Handed): Value {
    const value = rootValue(source, serial, handed);
    this.trace.push(`hand out ${value.id}${handed ? ` (position ${handed.position})` : ""}`);
    this.#must(!this.over || handed === undefined, `${value.id} is handed out after the end`);
    this.#roots.push({ source, value, dropped: false, done: false });
    return value;
  }

  /** The first user function of a flow sees a value. */
  enters(flow: string, value: Value): void {
    const { entered, spec } = this.#ledger.flow(flow);
    for (const each of value.taken) {
      if (entered.has(each)) continue;
      entered.add(each);
      this.trace.push(`${flow} takes ${each.id}`);
      this.#must(!this.over, `${flow} takes ${each.id} after the end`);
      if (spec.reads.length > 1) continue; // its turn in the merge came before
      const source = spec.reads[0]!;
      const others = this.#ledger.readers.get(source)!.some((other) =>
        other !== flow &&
        (this.#ledger.flow(other).entered.has(each) || this.#ledger.isBlind(other))
      );
      if (others || this.#ledger.isBlind(flow)) continue; // lock-step: what one flow has begun, all finish
      if (this.#ledger.isAhead(source)) continue; // a pause acts on reading
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

  /** The function of a pipe throws; `decide` says whether its policy follows now, and not later. */
  failsInPipe(
    flow: string,
    value: Value,
    failures: number,
    error: unknown,
    decide: boolean,
  ): void {
    this.trace.push(`${flow} fails in a pipe on ${value.id}`);
    const step = this.#ledger.failsInPipe(flow, value, failures);
    if (decide) this.decides(flow, step, error);
  }

  /** The function of a pipe returns. */
  passes(flow: string, value: Value): void {
    this.#ledger.flow(flow).inPipes.delete(value);
  }

  /** A filter leaves a value out. */
  filtered(flow: string, value: Value): void {
    this.trace.push(`${flow} filters ${value.id}`);
    const fate = this.#ledger.fate(flow, value.taken);
    fate.settled = true;
  }

  /** A handler is called. */
  begins(flow: string, values: readonly Value[]): Fate {
    const record = this.#ledger.flow(flow);
    for (const value of values) this.enters(flow, value);
    const taken = values.flatMap((value) => value.taken);
    const id = taken.map((value) => value.id).join("+");
    this.trace.push(`${flow} begins ${id}`);
    this.#must(!this.over, `${flow} is called for ${id} after the end`);
    const { max = 1 } = record.spec.concurrency ?? {};
    const running = record.running.values().filter((fate) => !waitsForRetry(fate)).toArray().length;
    this.#must(running < max, `${flow} is called for ${id} during ${running} other calls`);
    // Beside a call that fails, others may begin until its policy has been asked.
    this.#must(!record.dead || max > 1, `${flow} is called for ${id} after it failed`);
    const before = record.fates.get(taken[0]!);
    const fate = this.#ledger.fate(flow, taken);
    this.#must(
      before === undefined || (!fate.settled && fate.failures === fate.calls),
      `${flow} is called for ${id} again`,
    );
    for (const value of before === undefined ? taken : []) {
      this.#must(this.#ledger.inOrder(flow, value), `${flow} handles ${value.id} out of order`);
    }
    for (const { taken: [other] } of this.#ledger.unfinished(flow, fate)) {
      this.#must(false, `${flow} is called for ${id} before ${other!.id} is in every sink`);
    }
    fate.calls++;
    fate.running = true;
    record.running.add(fate);
    return fate;
  }

  /** A handler gives a value. */
  gives(flow: string, fate: Fate, index: number): Value {
    const { spec } = this.#ledger.flow(flow);
    const value = madeValue(spec, fate, index, this.#ledger.handled(flow));
    const output: Output = {
      flow,
      value,
      sinks: spec.sinks.map(() => ({ failures: 0, writing: false, settled: false })),
    };
    fate.outputs.push(output);
    this.#ledger.outputs.set(value, output);
    this.trace.push(`${flow} gives ${value.id}`);
    return value;
  }

  /** A generator is resumed after it gave a value. */
  resumed(flow: string, value: Value): void {
    this.#must(
      this.#ledger.sunk(this.#ledger.outputs.get(value)!),
      `${flow} resumes before ${value.id} is sunk`,
    );
  }

  /** A handler returns. */
  ends(flow: string, fate: Fate): void {
    this.trace.push(`${flow} ends ${fate.taken[0]!.id}`);
    this.#stops(flow, fate);
    fate.settled = true;
  }

  /** A generator is closed before its end, since one of its values cannot be sunk. */
  closed(flow: string, fate: Fate): void {
    this.trace.push(`${flow} closes ${fate.taken[0]!.id}`);
    this.#stops(flow, fate);
  }

  /** A handler throws; `decide` says whether its policy follows now, and not later. */
  fails(flow: string, fate: Fate, error: unknown, decide: boolean): void {
    this.trace.push(`${flow} fails on ${fate.taken[0]!.id}`);
    this.#stops(flow, fate);
    fate.failures++;
    if (decide) this.decides(flow, fate, error);
  }

  /** The policy of a flow meets a failure that is not to be repeated. */
  decides(flow: string, fate: { failures: number; settled: boolean }, error: unknown): void {
    const record = this.#ledger.flow(flow);
    const { attempts, otherwise } = record.spec.policy;
    if (fate.failures <= attempts) return;
    if (otherwise === "skip") fate.settled = true;
    if (otherwise === "stop") this.stops(flow, error);
  }

  /** An error that nobody deals with. */
  stops(flow: string | undefined, error: unknown): void {
    this.trace.push(`${flow ?? "a source"} stops the app`);
    this.fatal.add(error);
    if (flow !== undefined) this.#ledger.flow(flow).dead = true;
  }

  /** A sink is given a value. */
  writes(value: Value, index: number): void {
    const output = this.#ledger.outputs.get(value)!;
    const { spec } = this.#ledger.flow(output.flow);
    const sink = output.sinks[index]!;
    this.trace.push(`${output.flow} writes ${value.id} to sink ${index}`);
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
    const output = this.#ledger.outputs.get(value)!;
    output.sinks[index]!.writing = false;
    output.sinks[index]!.settled = true;
    if (flushes) this.#unflushed.add(value);
  }

  /** A sink throws. */
  refuses(value: Value, index: number, error: unknown, decide: boolean): void {
    const { flow, sinks } = this.#ledger.outputs.get(value)!;
    this.trace.push(`${flow} fails to write ${value.id} to sink ${index}`);
    const sink = sinks[index]!;
    sink.writing = false;
    sink.failures++;
    if (decide) this.decides(flow, sink, error);
  }

  /** The policy function of a flow has chosen what follows after the first failure of a step. */
  chosen(flow: string, failed: Failed, error: unknown): void {
    const step = this.#ledger.failing(flow, failed);
    if (step === undefined) this.#must(false, `${flow} meets an error of nobody: ${error}`);
    else this.decides(flow, step, error);
  }

  /** The dead-letter sink has taken a failure. */
  buried(flow: string, failed: Failed, error: unknown): void {
    this.trace.push(`${flow} buries ${failed.value.id}`);
    const step = this.#ledger.failing(flow, failed);
    const { attempts } = this.#ledger.flow(flow).spec.policy;
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
    this.trace.push(`${source} is paused for ${reasons} reasons`);
    this.#paused.set(source, reasons);
  }

  /** A source is moved: what no flow has begun belongs to an epoch that is over. */
  seeks(source: string, position: number): void {
    this.trace.push(`${source} is moved to ${position}`);
    for (const root of this.#roots) {
      if (root.source !== source) continue;
      root.dropped ||= !this.#ledger.readers.get(source)!.some((flow) =>
        this.#ledger.flow(flow).entered.has(root.value)
      );
    }
  }

  /** Positions are committed: everything below must be done and safe. */
  commits(source: string, ackedTo: number, epoch: number): void {
    this.trace.push(`${source} commits ${ackedTo}`);
    this.#must(!this.over, `${source} commits ${ackedTo} after the end`);
    for (const { value } of this.#roots) {
      const { handed } = value;
      if (value.path !== source || handed!.epoch !== epoch || handed!.position >= ackedTo) {
        continue;
      }
      this.#must(this.#ledger.isDone(value), `${value.id} is committed before it is done`);
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
    const { exact } = this.#ledger;
    for (const root of this.#roots) {
      const { handed, id } = root.value;
      if (handed === undefined || root.done && handed.acknowledged === 1) continue;
      this.#must(handed.acknowledged <= 1, `${id} is acknowledged ${handed.acknowledged} times`);
      root.done = this.#ledger.isDone(root.value);
      if (handed.acknowledged > 0) this.#must(root.done, `${id} is acknowledged before it is done`);
      else if (exact && !this.over && root.done && !this.#ledger.isCut) {
        this.#must(!root.done, `${id} is done and not acknowledged`);
      }
    }
  }

  /** Checks the end of a run that nothing but `fatal` errors may have shortened. */
  checkEnd(): void {
    for (const { value, dropped } of this.#roots) {
      if (value.handed?.acknowledged === 1) continue;
      const begun = this.#ledger.readers.get(value.path)!.some((flow) =>
        this.#ledger.flow(flow).entered.has(value)
      );
      if (
        dropped ||
        (!begun &&
          (this.fatal.size > 0 || this.graph.ending !== "natural" ||
            value.handed !== undefined && this.graph.seeks))
      ) continue;
      const done = this.#ledger.isDone(value);
      if (this.fatal.size === 0) this.#must(done, `${value.id} is lost`);
      if (this.fatal.size > 0 && !this.#ledger.exact) continue; // what is lost may share its pipe
      if (this.#ledger.isCut) continue;
      this.#must(!done || !value.handed, `${value.id} is done and never acknowledged`);
    }
    for (const [name, { running }] of this.#ledger.flows) {
      this.#must(running.size === 0, `${name} is still in a call at the end`);
    }
    if (!this.graph.tight) this.broken.push(...this.#ledger.undrained());
  }

  #stops(flow: string, fate: Fate): void {
    fate.running = false;
    this.#ledger.flow(flow).running.delete(fate);
  }

  #must(holds: boolean, otherwise: string): void {
    if (!holds) this.broken.push(otherwise);
  }
}

/** Returns whether a value that a call has given waits to be written again: others may have its turn meanwhile. */
function waitsForRetry({ outputs }: Fate): boolean {
  return outputs.some(({ sinks }) =>
    sinks.some(({ failures, writing, settled }) => failures > 0 && !writing && !settled)
  );
}
