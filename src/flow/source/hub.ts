import { SourceError } from "../../errors.ts";
import { followsProxies, runAs, Standby } from "../run/attribution.ts";
import { runDetached } from "../run/current.ts";
import { type EventLoop, YIELD_EVERY } from "../run/event_loop.ts";
import { type Branch, Branches, type BranchesHost } from "./branches.ts";
import { END, type Feed, WAIT } from "./feed.ts";
import type { Gate } from "./gate.ts";
import type { FlowRun } from "../run/flow_run.ts";
import { ProxyQueue } from "../proxy/proxy_queue.ts";
import { Receipt } from "./receipt.ts";
import { type Ticked, Tickers } from "./tickers.ts";
import type { RootSource } from "../state/root_source.ts";
import type { KeyScheduler } from "../concurrency/key_scheduler.ts";
import { LockStep } from "../concurrency/lock_step.ts";
import { type Consumer, LookAhead, type LookAheadHost } from "../concurrency/look_ahead.ts";
import type { Concurrency } from "../concurrency/options.ts";
import type { Clock } from "../../clock.ts";

/** After so many messages a promise job passes, so that sources that never wait let others go on. */
const TURN = 1_024;

/** What a hub tells the run that it belongs to. */
export interface HubHost {
  readonly clock: Clock;
  /** Shared by the sources of the run. */
  readonly eventLoop: EventLoop;
  /** Ends the run with an error. */
  fail(error: unknown): void;
  /** The source has failed after it was told to stop. */
  failedLate(error: SourceError): void;
  /** True where sinks hold back what they were given until they are flushed. */
  readonly flushes: boolean;
  /** A message is done that can be acknowledged, or has something to be flushed. */
  delivered(): void;
  /** The source hands out nothing more and its last message is done. */
  hubEnded(hub: Hub<unknown>): void;
}

/**
 * The one loop of a source. It asks for a message, gives it to every flow of the source (lock-step), waits
 * until all are done, acknowledges it, and asks for the next.
 *
 * - Where no flow returns a promise, nothing is awaited: up to 1,024 messages are one synchronous loop.
 * - The gate is asked before every message.
 * - A message that a flow failed on is not acknowledged, and nothing is handed out after it.
 */
export class Hub<T> implements LookAheadHost, BranchesHost {
  /** The flows that take part. */
  readonly branches: Branches<T>;
  /** The work of its flows that belongs to no message. */
  readonly tickers: Tickers<T>;
  /** True when nothing more is handed out and the last message is done. */
  ended = false;
  /** How many messages are done. */
  done = 0;
  /** Set where stores hold the positions of its flows. */
  root: RootSource | undefined;
  /** What is taken and not done, where a flow handles messages concurrently. */
  lookAhead: LookAhead | undefined;

  /**
   * True where each message is also counted or witnessed, or ticks run between messages. Decided once at the start,
   * since most sources need none of it.
   */
  #more = false;
  // Callbacks for others. The loop itself is a method, since `this` is slower in an arrow function.
  readonly #goOn = () => this.#pump();
  readonly #resume = () => this.#wake();
  readonly #onArrived = () => this.#arrivedAtSinks();
  readonly #onLost = (error: unknown) => this.#lost(error);

  #stopping = false;
  /** Nothing more is read, and what is in flight is waited for. */
  #ending = false;
  /** How many messages are left of the turn. */
  #left = TURN;
  /** The seeks of the gate that were noticed. */
  #seeks = 0;
  #waiting = false;
  /** Reads all partitions again, however much of one waits. */
  #unguard: () => void = () => {};
  /** No longer looks at the gate. */
  #unobserve: () => void = () => {};
  /** Goes on for the flow, where there is one. */
  #again: Standby | undefined;
  /** A message that the gate keeps back. */
  #held:
    | { message: T; receipt: Receipt | undefined; failure: Error | undefined; epoch: number }
    | undefined;
  /** The branch and the receipt of the message in flight, where there is one branch. */
  #branch: Branch<T> | undefined;
  #receipt: Receipt | undefined;

  constructor(
    readonly name: string,
    readonly feed: Feed<T>,
    readonly gate: Gate,
    readonly host: HubHost,
    /** True where the receipts of its messages are relied on; see `FeedSource.positioned`. */
    readonly positioned: boolean = false,
  ) {
    this.branches = new Branches(this);
    const wake = () => this.#ending ? this.emptied() : this.#wake();
    this.tickers = new Tickers(feed, host.clock, wake);
    feed.onLate = (error) => host.failedLate(this.error(error));
  }

  /** Adds a flow that handles its messages concurrently. */
  connectConcurrent(
    flowRun: FlowRun,
    scheduler: KeyScheduler,
    { max, by, ahead, span }: Concurrency,
  ): Branch<T> {
    const branch = this.branches.add(flowRun, flowRun, scheduler);
    this.lookAhead ??= this.#lookAhead();
    const share = Math.max(1, by === "partition" ? ahead / max : ahead / 2);
    this.lookAhead.add(scheduler, { ahead, span, share });
    scheduler.read(this.lookAhead);
    this.gate.lookAhead = this.lookAhead;
    return branch;
  }

  #lookAhead(): LookAhead {
    const { feed, gate } = this;
    const lookAhead = new LookAhead(this, !(feed instanceof ProxyQueue));
    if (feed.partitioned) {
      this.#unguard = gate.guard((message) =>
        lookAhead.admits((message as { readonly partition: number }).partition)
      );
    }
    return lookAhead;
  }

  /** True once the source has come to its end by itself, where tickers are: it is silent from then on. */
  get exhausted(): boolean {
    return this.tickers.exhausted;
  }

  /** For how long, in milliseconds, a partition was known to have nothing more; it never goes back. */
  silence(partition: number): number {
    return this.tickers.silence(partition);
  }

  /** Returns whether everything known to be in a partition was handled; asked where tickers are. */
  isReadToItsEnd(partition: number): boolean {
    if (this.tickers.exhausted) return true;
    if (this.#held !== undefined || this.branches.all.some(({ waits }) => waits)) return false;
    const parts = this.feed.parts?.();
    if (parts === undefined) return this.tickers.pendingSilence?.pending ?? false;
    for (const part of parts) if (part.partition === partition) return part.caughtUp;
    return false;
  }

  /** Hands out nothing more, and drops what has not begun; what is in flight is finished. */
  stop(): void {
    this.#stopping = true;
    this.lookAhead?.drop();
    this.#wake();
  }

  /** True when what its flows do must be attributable to a message, also to one before a Proxy. */
  get attributed(): boolean {
    return this.gate.attributed || (followsProxies() && this.feed instanceof ProxyQueue);
  }

  /** See {@linkcode BranchesHost}. */
  begin(): void {
    const { lookAhead, root, tickers, gate, branches } = this;
    this.#more = lookAhead !== undefined || root !== undefined || tickers.any || gate.attributed;
    if (this.#more) branches.askFirst(root);
    const silence = tickers.pendingSilence;
    if (silence !== undefined) { // a pause is none
      this.#unobserve = gate.observe(() => gate.closed ? silence.end() : this.#wake());
    }
    if (branches.anySequential) {
      lookAhead?.add(
        new LockStep(({ message, receipt, failure }) =>
          branches.deliver(message as T, receipt, failure)
        ),
      );
    }
    this.#pump();
  }

  /** Hands out messages until one has to be waited for, or the source has ended. */
  #pump(): void {
    const { feed, gate, branches } = this;
    for (;;) {
      if (this.#stopping) return this.#end();
      if (gate.closed) return this.#waitFor(gate);
      if (this.#left % YIELD_EVERY === 0) {
        if (this.#left === 0) return this.#turnOver();
        if (this.done > 0 && this.#yield()) return;
      }
      if (this.#more) {
        const step = this.#between();
        if (step === "again") continue;
        if (step === "later") return;
      }

      let message: T | typeof WAIT | typeof END;
      let receipt: Receipt | undefined;
      let failure: Error | undefined;
      if (this.#held === undefined) {
        try {
          message = feed.poll();
        } catch (error) {
          this.host.fail(this.error(error));
          return this.#end();
        }
        if (message === WAIT) {
          for (const witness of gate.witnesses) witness.waits?.();
          this.tickers.pendingSilence?.begin();
          return this.#waitFor(feed);
        }
        if (message === END) {
          for (const witness of gate.witnesses) witness.ended?.();
          if (!this.tickers.any) return this.#end();
          this.tickers.exhausted = true;
          if (!this.lookAhead?.taken) this.tickers.ended();
          continue;
        }
        receipt = feed.receipt;
        failure = feed.failure;
        if (!gate.free && (gate.closed || feed.partitioned !== true)) {
          this.#held = { message, receipt, failure, epoch: gate.epoch };
          continue;
        }
      } else {
        const held = this.#held;
        try {
          if (this.isCurrent(held) && !gate.admits(held.message)) return this.#waitFor(gate);
        } catch (error) {
          this.host.fail(this.error(error));
          return this.#end();
        }
        this.#held = undefined;
        if (!this.isCurrent(held)) continue;
        ({ message, receipt, failure } = held);
      }

      this.#left--;
      if (this.#more) {
        if (this.#repeats(receipt)) continue;
        if (this.root !== undefined) this.root.enter(receipt!);
        if (gate.attributed) receipt = this.#attribute(message, receipt);
      }
      if (receipt !== undefined && receipt.gate === undefined) { // behind a Proxy it has one
        receipt.origin = message;
        receipt.gate = gate;
        if (this.positioned) receipt.positioned = true;
        receipt.host = this.host;
      }
      if (this.lookAhead !== undefined) {
        this.#takeAhead(this.lookAhead, message as T, receipt, failure);
        continue;
      }
      const branch = branches.only;
      if (branch === undefined || (this.#more && this.root?.selective)) {
        const done = branches.deliver(message as T, receipt, failure);
        if (typeof done === "boolean") {
          if (done) this.delivered(receipt);
          continue;
        }
        done.then((done) => {
          if (done) this.delivered(receipt);
          this.#pump();
        });
        return;
      }
      if (this.#more) branch.beginning?.(message as T);
      branch.delivery.begin(message, receipt);
      try {
        const done = failure === undefined ? branch.emit(message as T) : branch.refuse(failure);
        if (done === undefined) {
          this.delivered(receipt);
          continue;
        }
        this.#branch = branch;
        this.#receipt = receipt;
        this.host.eventLoop.waitBegins(branch);
        done.then(this.#onArrived, this.#onLost);
        return;
      } catch (error) {
        branch.failed(error);
      }
    }
  }

  /** What comes before a message: whether one may be taken now, and work that belongs to none. */
  #between(): "message" | "again" | "later" {
    const { lookAhead, root, feed, tickers } = this;
    if (root !== undefined && root.closed) return this.#later(root);
    tickers.pendingSilence?.end();
    if (tickers.any && feed.away !== true) {
      const { due } = tickers;
      if (due !== undefined) return this.#tick(due);
      if (tickers.full) {
        if (tickers.done && !lookAhead?.taken) this.#end();
        else this.#waiting = true; // a ticker wakes it
        return "later";
      }
    }
    if (lookAhead !== undefined && !lookAhead.open) return this.#later(lookAhead);
    return "message";
  }

  #later(what: LookAhead | RootSource): "later" {
    this.#waitFor(what);
    return "later";
  }

  /** True unless a message was taken before a seek, or from a partition that was taken away. */
  isCurrent({ receipt, epoch }: { receipt: Receipt | undefined; epoch: number }): boolean {
    const { feed, gate } = this;
    if (feed.isCurrent === undefined || receipt === undefined) return epoch === gate.epoch;
    return feed.isCurrent(receipt);
  }

  /** Returns whether a message was begun before its partition was taken away for a while, and need not be again. */
  #repeats(receipt: Receipt | undefined): boolean {
    const { lookAhead } = this;
    if (lookAhead === undefined) return false;
    if (this.#seeks !== this.gate.seeks) {
      this.#seeks = this.gate.seeks;
      lookAhead.forget();
    }
    return lookAhead.repeats(receipt);
  }

  #takeAhead(
    lookAhead: LookAhead,
    message: T,
    receipt: Receipt | undefined,
    failure: Error | undefined,
  ): void {
    const { gate, root, branches } = this;
    if (!root?.selective) return lookAhead.take(message, receipt, failure, gate.epoch);
    const old = branches.all.filter((branch) =>
      branch.scheduler !== undefined && !root.isNew(branch, receipt!)
    );
    const isFor = (consumer: Consumer) => !old.some(({ scheduler }) => scheduler === consumer);
    lookAhead.take(message, receipt, failure, gate.epoch, isFor);
  }

  /** Has a flow do one part of its work that belongs to no message. */
  #tick({ branch, ticker }: Ticked<T>): "again" | "later" {
    this.#left--;
    let receipt: Receipt | undefined;
    if (this.root !== undefined) {
      receipt = new Receipt(() => {});
      receipt.gate = this.gate;
      receipt.host = this.host;
      this.root.enterTick(receipt);
    }
    try {
      const done = ticker.tick(receipt);
      if (done === undefined) {
        receipt?.release();
        return "again";
      }
      this.host.eventLoop.waitBegins(branch);
      done.then(() => {
        branch.over();
        receipt?.release();
      }, (error) => {
        branch.over();
        branch.failed(error);
      }).then(this.#goOn);
      return "later";
    } catch (error) {
      branch.failed(error);
      return "again";
    }
  }

  /** Shows a message to those who see all; it gets a receipt where its source gives none. */
  #attribute(message: unknown, receipt = new Receipt(() => {})): Receipt {
    for (const witness of this.gate.witnesses) witness.begin?.(message, receipt);
    return receipt;
  }

  /** A message is done. */
  delivered(receipt: Receipt | undefined): void {
    this.done++;
    if (receipt !== undefined) {
      receipt.release();
      if (receipt.done && receipt.host === this.host) return; // it has told
    } else if (!this.host.flushes) return;
    this.host.delivered();
  }

  #arrivedAtSinks(): void {
    this.#branch!.over();
    this.delivered(this.#receipt);
    this.#pump();
  }

  #lost(error: unknown): void {
    this.#branch!.over();
    this.#branch!.failed(error);
    this.#pump();
  }

  /** How many messages are taken and not done, and how many of these nobody has begun to handle. */
  get load(): { readonly inFlight: number; readonly waiting: number } {
    const { lookAhead, branches } = this;
    if (lookAhead !== undefined) return lookAhead.load;
    return { inFlight: branches.all.some((branch) => branch.waits) ? 1 : 0, waiting: 0 };
  }

  /** See {@linkcode LookAheadHost}. */
  dropped(receipt: Receipt | undefined): void {
    if (receipt === undefined) return;
    for (const witness of this.gate.witnesses) witness.dropped?.(receipt);
    if (this.root !== undefined) receipt.root!.abandon!(); // behind a Proxy others have begun it
  }

  /** See {@linkcode LookAheadHost}. */
  emptied(): void {
    if (this.#ending && !this.ended) return this.#end();
    if (this.tickers.exhausted) {
      this.tickers.ended();
      this.#wake();
    }
    if (this.feed instanceof ProxyQueue) this.feed.onIdle();
  }

  /** Says of an error of the source whose it is. */
  error(cause: unknown): SourceError {
    const flow = this.branches.flows;
    return new SourceError({ ...(flow !== "" && { flow }), source: this.name }, cause);
  }

  /** Goes on after a wait; called too often it does no harm. */
  #wake(): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    const front = this.lookAhead === undefined ? this.branches.only?.flowRun.front : undefined;
    // The next message is likely to need what the last one needed: entered once, not for each of the turn.
    if (front?.receipt === undefined) return runDetached(this.#goOn);
    this.#again ??= runAs(front, () => new Standby(this.#goOn));
    this.#again.call();
  }

  #waitFor(what: { wait(wake: () => void): void }): void {
    this.#waiting = true;
    what.wait(this.#resume);
  }

  #turnOver(): void {
    this.#left = TURN;
    this.#waiting = true;
    queueMicrotask(this.#resume);
  }

  /** Lets a macrotask pass when the last one is long ago. */
  #yield(): boolean {
    const { eventLoop } = this.host;
    if (!eventLoop.mustYield) return false;
    this.#waiting = true;
    eventLoop.yieldThen(this.#resume);
    return true;
  }

  #end(): void {
    const { lookAhead, tickers } = this;
    if (lookAhead !== undefined && (lookAhead.taken > 0 || tickers.busy)) {
      this.#ending = true;
      return;
    }
    this.ended = true;
    if (tickers.exhausted) tickers.pendingSilence?.begin();
    this.#unguard();
    this.#unobserve();
    this.#held = undefined;
    this.host.hubEnded(this as Hub<unknown>);
    this.branches.end();
  }
}
