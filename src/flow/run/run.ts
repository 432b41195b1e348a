import type { Clock } from "../../clock.ts";
import { DrainError, FlowError, type SourceError, type Stuck } from "../../errors.ts";
import type { AppState } from "../../snapshot.ts";
import type { PartEvent, StatusEvent } from "../../status.ts";
import type { OnError } from "../stage/error_policy.ts";
import { CommitCycle, type CommitHost, type CommitSettings } from "./commit_cycle.ts";
import type { Binding } from "./binding.ts";
import { EventLoop } from "./event_loop.ts";
import { listeners } from "../source/feed.ts";
import type { Companion, Host } from "../source/host.ts";
import { gateOf } from "../source/gate.ts";
import type { Hub, HubHost } from "../source/hub.ts";
import { type FlowHost, STOPPED } from "./flow_run.ts";
import { runDetached } from "./current.ts";
import { forgetWork } from "./attribution.ts";
import { Pending } from "./pending.ts";
import { ProgressReport } from "./progress_report.ts";
import { Sinks } from "../stage/sinks.ts";
import type { RunView } from "../view/snapshot_of.ts";
import type { GroupHost } from "../state/state_group.ts";
import { stuckFlows } from "./stuck.ts";
import { assertCorrectable, assertPromised } from "../state/state_checks.ts";
import { open, type Opened, type WiringHost } from "./wiring.ts";

/** Options of a run. */
export interface RunOptions {
  readonly clock: Clock;
  readonly args: unknown;
  readonly onError: OnError;
  readonly commit: CommitSettings;
  readonly drainMs: number;
  /** Returns who is told what happens, if anybody is. */
  readonly status: () => ((event: StatusEvent) => void) | undefined;
  /** Returns who is told what happens to the parts of the run, if anybody is. */
  readonly tell?: () => ((event: PartEvent) => void) | undefined;
  /** Called after the last commit, while everything is still open. */
  readonly exit: () => Promise<void>;
}

/**
 * One `stream()` from beginning to end. Errors and cancellation meet here; the streams inside only ever
 * close.
 *
 * - It ends when every flow has ended, after {@linkcode Run.stop}, or after the first error.
 * - In-flight messages finish, then the commit, the exit hooks, and everything that was opened is closed.
 * - {@linkcode Run.end}, or stopping for longer than `drainTimeout`, ends it at once, without a commit.
 */
export class Run implements Host, HubHost, FlowHost, CommitHost, GroupHost, WiringHost {
  readonly clock: Clock;
  readonly eventLoop: EventLoop;
  readonly sinks: Sinks = new Sinks(this);
  readonly pending: Pending;
  /** Why it was stopped, if whoever did so has said it. */
  reason: unknown;

  /** When it began: by the time of day, and by the monotonic clock. */
  readonly #began: { readonly at: number; readonly monotonic: number };
  readonly #options: RunOptions;
  readonly #stopping = new AbortController();
  readonly #hardEnd = new AbortController();
  readonly #errors: unknown[] = [];
  #opened: Opened | undefined;
  #commitCycle: CommitCycle | undefined;
  #report: ProgressReport | undefined;
  #companions: readonly Companion[] = [];
  #cancelDrain: () => void = () => {};
  #over = false;
  /** When it began to stop. */
  #stopped: number | undefined;
  /** What it waits for, beside its flows and the commit. */
  #step = "";
  #silent = false;
  #streams = false;
  #endedAt: number | undefined;
  /** When the first error happened, by the time of day. */
  #failedAt = 0;

  constructor(options: RunOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.pending = new Pending(options.clock);
    this.eventLoop = new EventLoop(options.clock);
    this.#began = { at: this.clock.now(), monotonic: this.clock.monotonic() };
  }

  /** Tells what happens, while somebody listens. */
  get status(): ((event: StatusEvent) => void) | undefined {
    return this.#options.status() && this.#tellBound;
  }

  /** See `Host`. */
  get tell(): ((event: PartEvent) => void) | undefined {
    return this.#over ? undefined : this.#options.tell?.();
  }

  /** A listener works for nobody, whoever has something to tell. */
  readonly #tellBound = (event: StatusEvent): void => runDetached(() => this.#tell(event));

  /** Somebody listens from now on. */
  listened(): void {
    if (this.#commitCycle === undefined || this.#over || this.#report !== undefined) return;
    this.#report = new ProgressReport(this.#opened!.sources.hubs, this.clock, this.#tellBound);
    this.#report.start();
    listeners.add(this.#tellBound);
  }

  /** Where it is in its life. */
  get state(): AppState {
    if (this.#over) return "ended";
    if (this.stopping.aborted) return "stopping";
    return this.#streams ? "streaming" : "starting";
  }

  #waitsFor(state: AppState): Stuck[] {
    if (state === "stopping") return this.#stuck();
    if (state !== "starting" || this.#step === "") return [];
    const sinceMs = Math.round(this.clock.monotonic() - this.#began.monotonic);
    return [{ what: this.#step, sinceMs }];
  }

  /** How it is, for whoever looks. */
  get view(): RunView {
    const { state } = this;
    return {
      opened: this.#opened,
      state,
      began: this.#began,
      endedAt: this.#endedAt,
      error: this.#errors.length === 0 ? undefined : { error: this.#errors[0], at: this.#failedAt },
      waitsFor: this.#waitsFor(state),
      commits: this.#commitCycle?.history,
      commitWaitsFor: this.#commitCycle?.stuck() ?? [],
    };
  }

  /** Aborts when the run begins to stop. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Aborts at the hard end. */
  get signal(): AbortSignal {
    return this.#hardEnd.signal;
  }

  /** What handlers get as `context.args`. */
  get args(): unknown {
    return this.#options.args;
  }

  /** What follows after an error in a flow that does not say so itself. */
  get onError(): OnError {
    return this.#options.onError;
  }

  /**
   * Opens everything that `bindings` name, and runs it to its end.
   *
   * @throws The first error; the others are in its `others`.
   */
  async run(bindings: readonly Binding[]): Promise<void> {
    const hardEnd = new Promise<void>((resolve) =>
      this.signal.addEventListener("abort", () => resolve(), { once: true })
    );
    if (this.status !== undefined) listeners.add(this.#tellBound);
    try {
      await Promise.race([this.#flow(bindings), hardEnd]);
    } catch (error) {
      this.fail(error);
    }
    if (this.#errors.length > 0 && !this.signal.aborted) {
      await new Promise<void>((resolve) => this.clock.macrotask(resolve)); // others of the same tick
    }
    this.#cancelDrain();
    this.#report?.stop();
    this.#commitCycle?.close();
    listeners.delete(this.#tellBound);
    for (const companion of this.#companions) companion.close(this);
    this.#opened?.groups.end();
    if (this.signal.aborted) {
      this.#opened?.abandon();
      this.pending.abandon();
    } else this.#hardEnd.abort(STOPPED);
    forgetWork(this.pending);
    this.status?.({ type: "ended", error: this.#errors[0] });
    this.#over = true;
    this.#endedAt = this.clock.now();
    if (this.#errors.length > 0) throw this.#firstError();
  }

  async #flow(bindings: readonly Binding[]): Promise<void> {
    assertCorrectable(bindings, this.onError);
    assertPromised(bindings, this.onError);
    const companions = this.#companions = companionsOf(bindings);
    this.#step = "a checkpoint is being opened";
    for (const companion of companions) await companion.open(this);
    this.#step = "";
    const opened = this.#opened = open(bindings, this, companions.length > 0);
    const { sources: { hubs }, groups } = opened;
    const scope = { hubs, groups: groups.all, companions, sinks: this.sinks };
    this.#commitCycle = new CommitCycle(scope, this, this.#options.commit);
    if (this.status !== undefined) this.listened();
    try {
      for (const companion of companions) companion.start();
      await this.#ready([...hubs].map(({ feed }) => feed.ready?.()));
    } catch (error) {
      this.fail(error);
    }
    this.#streams = true;
    this.status?.({ type: "started", flows: bindings.map(({ name }) => name) });
    if (this.stopping.aborted) opened.stop();
    await opened.start();
    await this.#finish(opened);
  }

  /** Waits until every source can be read, or the run stops. */
  async #ready(ready: (Promise<void> | undefined)[]): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = () => resolve();
    this.stopping.addEventListener("abort", stop, { once: true });
    if (this.stopping.aborted) stop();
    await Promise.race([Promise.all(ready), promise]);
    this.stopping.removeEventListener("abort", stop);
  }

  /** Every flow has ended: makes it durable and closes what was opened. */
  async #finish(opened: Opened): Promise<void> {
    for (const group of opened.groups.all) group.flowsEnded();
    const last: [string, () => Promise<unknown>][] = [
      ["", () => this.pending.settled()],
      ["", () => this.#commitCycle!.run()],
      ["a hook of onExit() has not ended", () => {
        this.#report?.tell();
        return this.#options.exit();
      }],
      ["a sink is being closed", () => this.sinks.close()],
      ["a source is being closed", () => opened.close()],
    ];
    for (const [what, step] of last) {
      this.#step = what;
      if (this.signal.aborted) return; // the hard end came first
      try {
        await step();
      } catch (error) {
        this.fail(error);
      }
    }
  }

  /** Hands out nothing more; what is in flight is finished. Sources are told the `reason`, if there is one. */
  stop(reason?: unknown): void {
    if (this.stopping.aborted || this.#over) return;
    this.reason = reason;
    this.status?.({ type: "stopping" });
    this.#stopped = this.clock.monotonic();
    this.#stopping.abort();
    const { drainMs } = this.#options;
    if (drainMs !== Infinity) {
      this.#cancelDrain = this.clock.timer(
        () => this.end(`stopping took longer than drainTimeout (${drainMs} ms)`),
        drainMs,
      );
    }
    this.#opened?.stop();
  }

  /** Ends at once: nothing is waited for any more, and nothing is committed. */
  end(why: string): void {
    if (this.signal.aborted) return;
    this.also(new DrainError(`Cannot drain in-flight messages: ${why}`, this.#stuck()));
    this.stop();
    this.#opened?.kill();
    this.#hardEnd.abort(this.#errors.at(-1));
  }

  /** What has not come to its end. */
  #stuck(): Stuck[] {
    const now = this.clock.monotonic();
    const since = this.#stopped ?? now;
    const stuck = [
      ...stuckFlows(this.#opened?.flows ?? [], this.pending.calls, now, since),
      ...this.#commitCycle?.stuck() ?? [],
    ];
    if (stuck.length > 0 || this.#step === "") return stuck;
    return [{ what: this.#step, sinceMs: Math.round(now - since) }];
  }

  /** Ends the run with an error. */
  fail(error: unknown): void {
    if (error === STOPPED || this.#over || this.#knows(error)) return;
    this.also(error);
    this.status?.({ type: "error", error });
    this.stop();
  }

  /**
   * A source has failed after it was told to stop. After an error that may be a second one of the same moment;
   * else whoever stopped the run has no more use for the source. An `AbortError` only says that it was stopped.
   */
  failedLate(error: SourceError): void {
    if (this.#errors.length === 0 || isAbortError(error.cause)) return;
    this.fail(error);
  }

  /** True for an error that is known already, by itself or as the cause of another one. */
  #knows(error: unknown): boolean {
    return this.#errors.some((known) =>
      known === error || (known instanceof FlowError && known.cause === error)
    );
  }

  /** Adds an error to those of the run without ending it for that. */
  also(error: unknown): void {
    if (this.#errors.length === 0) this.#failedAt = this.clock.now();
    this.#errors.push(error);
  }

  /** Runs the commit; see `Host`. */
  commit(): Promise<void> {
    return this.#commitCycle!.run();
  }

  /** See `Host`. */
  isFlushed(): boolean {
    return this.#commitCycle!.isFlushed;
  }

  /** See `Host`. */
  moved(): void {
    this.#commitCycle?.follow();
  }

  /** Runs the commit; an error ends the run. */
  commitSoon(): void {
    this.#commitCycle!.soon();
  }

  /** See `HubHost`. */
  get flushes(): boolean {
    return this.sinks.flushes;
  }

  /** A message is done; see `HubHost`. */
  delivered(): void {
    this.#commitCycle!.delivered();
  }

  /** A source hands out nothing more. */
  hubEnded(hub: Hub<unknown>): void {
    this.status?.({ type: "source_ended", source: hub.name, messages: hub.done });
    const { sources, proxies } = this.#opened!;
    sources.release(hub);
    proxies.endSoon();
  }

  /** A flow has ended. */
  flowEnded(flow: string): void {
    this.status?.({ type: "flow_ended", flow });
    this.#opened!.proxies.endSoon();
  }

  /** Nothing is held back any more in a flow. */
  idle(): void {
    this.#opened!.proxies.endSoon();
  }

  /** Tells what happened; a listener that throws ends the run, and is not told any more. */
  #tell(event: StatusEvent): void {
    if (this.#over || this.#silent) return;
    try {
      this.#options.status()?.(event);
    } catch (error) {
      this.#silent = true;
      this.also(error);
      queueMicrotask(() => this.stop());
    }
  }

  #firstError(): unknown {
    const [first, ...others] = this.#errors;
    if (others.length === 0) return first;
    if (!(first instanceof Error) || !Object.isExtensible(first)) {
      return new AggregateError(this.#errors, "Cannot continue after several errors");
    }
    const known = "others" in first && Array.isArray(first.others) ? first.others : [];
    return Object.assign(first, { others: [...known, ...others] });
  }
}

/** Returns whether `error` only says that its wait was ended by a signal. */
function isAbortError(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

/** What goes with the sources of `bindings`, each once. */
function companionsOf(bindings: readonly Binding[]): Companion[] {
  const sources = bindings.flatMap((binding) => binding.sources);
  return [...new Set(sources.flatMap((source) => [...gateOf(source).companions]))];
}
