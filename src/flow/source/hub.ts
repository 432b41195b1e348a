import { SourceError } from "../../errors.ts";
import { followsProxies, runAs, Standby } from "../run/attribution.ts";
import { runDetached } from "../run/current.ts";
import { type EventLoop, Waiter, YIELD_EVERY } from "../run/event_loop.ts";
import { END, type Feed, WAIT } from "./feed.ts";
import type { Gate } from "./gate.ts";
import type { FlowRun } from "../run/flow_run.ts";
import type { Delivery } from "../run/delivery.ts";
import { ProxyQueue } from "../proxy/proxy_queue.ts";
import { Receipt } from "./receipt.ts";
import { PendingSilence } from "./silence.ts";
import type { Ticker } from "./ticker.ts";
import type { RootSource } from "../state/root_source.ts";
import type { InFlight } from "../concurrency/in_flight.ts";
import type { KeyScheduler } from "../concurrency/key_scheduler.ts";
import { LockStep } from "../concurrency/lock_step.ts";
import { type Consumer, LookAhead, type LookAheadHost } from "../concurrency/look_ahead.ts";
import type { Concurrency } from "../concurrency/options.ts";
import type { Clock } from "../../clock.ts";
import type { Emit, Maybe } from "../stage/stage.ts";

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

/** The longest span between two looks that counts as silence, in milliseconds. */
const LONGEST_SILENCE_MS = 2_000;

/**
 * The one loop of a source. It asks for a message, gives it to every flow of the source (lock-step), waits
 * until all are done, acknowledges it, and asks for the next.
 *
 * - Where no flow returns a promise, nothing is awaited: up to 1,024 messages are one synchronous loop.
 * - The gate is asked before every message.
 * - A message that a flow failed on is not acknowledged, and nothing is handed out after it.
 */
export class Hub<T> implements LookAheadHost {
  /** The flows that take part; replaced, never changed, since a flow may leave in the middle of a message. */
  branches: readonly Branch<T>[] = [];
  /** True when nothing more is handed out and the last message is done. */
  ended = false;
  /** How many messages are done. */
  done = 0;
  /** Set where stores hold the positions of its flows. */
  root: RootSource | undefined;
  /** What is taken and not done, where a flow handles messages concurrently. */
  lookAhead: LookAhead | undefined;
  /** The work of its flows that belongs to no message. */
  readonly tickers: { readonly branch: Branch<T>; readonly ticker: Ticker }[] = [];

  /** The only flow, where there is one. */
  #only: Branch<T> | undefined;
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
  #begun = false;
  /** A flow that failed has left: what others have begun is not done without it. */
  #isCut = false;
  /** True once the source has ended, while tickers have something left. */
  #exhausted = false;
  /** Measured where tickers need it and the source does not tell it. */
  #silence: PendingSilence | undefined;
  #arrived = 0;
  /** How many messages are left of the turn. */
  #left = TURN;
  /** The seeks of the gate that were noticed. */
  #seeks = 0;
  #waiting = false;
  /** Reads all partitions again, however much of one waits. */
  #unguard: () => void = () => {};
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
    feed.onLate = (error) => host.failedLate(this.error(error));
  }

  /** Adds a flow; `delivery` is where the message in flight is noted, by default that of the run of the flow. */
  connect(flowRun: FlowRun, delivery: Delivery = flowRun): Branch<T> {
    const branch = new Branch(this, flowRun, delivery);
    this.#takeIn([...this.branches, branch]);
    return branch;
  }

  #takeIn(branches: readonly Branch<T>[]): void {
    this.branches = branches;
    this.#only = branches.length === 1 ? branches[0] : undefined;
  }

  /** Adds a flow that handles its messages concurrently. */
  connectConcurrent(
    flowRun: FlowRun,
    scheduler: KeyScheduler,
    { max, by, ahead, span }: Concurrency,
  ): Branch<T> {
    const branch = this.connect(flowRun);
    branch.scheduler = scheduler;
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

  /** Has `ticker` work between the messages of `branch`. */
  addTicker(branch: Branch<T>, ticker: Ticker, clock: Clock): void {
    this.tickers.push({ branch, ticker });
    ticker.wake = this.#resume;
    branch.beginning = ticker.begin?.bind(ticker);
    const { feed } = this;
    if (feed.silence === undefined) this.#silence ??= new PendingSilence(clock, LONGEST_SILENCE_MS);
    else feed.onLook = () => this.tickers.forEach(({ ticker }) => ticker.looked());
  }

  /**
   * Counts silence only while `busy` returns false: what the source handed out may be on its way through Proxies.
   * Returns what is to be called when that may have come to its end.
   */
  countSilenceUnless(busy: () => boolean): () => void {
    const silence = this.#silence;
    if (silence === undefined) return () => {}; // the source itself knows what is done
    const before = silence.busy;
    silence.busy = () => before() || busy();
    return () => silence.settled();
  }

  /** For how long, in milliseconds, a partition was known to have nothing more; it never goes back. */
  silence(partition: number): number {
    return this.#silence?.ms ?? this.feed.silence?.(partition) ?? 0;
  }

  /** True once the source has come to its end by itself: it is silent from then on. */
  get exhausted(): boolean {
    return this.#exhausted;
  }

  /** Returns whether everything known to be in a partition was handled; asked where tickers are. */
  isReadToItsEnd(partition: number): boolean {
    if (this.#exhausted) return true;
    if (this.#held !== undefined || this.branches.some(({ waits }) => waits)) return false;
    const parts = this.feed.parts?.();
    if (parts === undefined) return this.#silence?.pending ?? false;
    for (const part of parts) if (part.partition === partition) return part.caughtUp;
    return false;
  }

  /** Hands out nothing more, and drops what has not begun; what is in flight is finished. */
  stop(): void {
    this.#stopping = true;
    this.lookAhead?.drop();
    this.#wake();
  }

  /** Gives a flow its messages, from when all flows of the source are there; resolves when it gets no more. */
  arrive(branch: Branch<T>, emit: Emit<T>): Promise<void> {
    if (this.ended || branch.ended) return Promise.resolve();
    branch.emit = emit;
    this.#arrived++;
    const over = new Promise<void>((resolve) => branch.isOver = resolve);
    this.#beginWhenAllArrived();
    return over;
  }

  /** Takes a flow out: the others go on without it, and without any the source ends. */
  leave(branch: Branch<T>): void {
    if (branch.ended) return;
    branch.ended = true;
    if (branch.flowRun.dead) this.#isCut = true;
    this.#takeIn(this.branches.filter((other) => other !== branch));
    if (branch.isOver !== undefined) this.#arrived--;
    branch.isOver?.();
    if (this.branches.length === 0) return this.stop();
    this.#beginWhenAllArrived();
  }

  /** True when what its flows do must be attributable to a message, also to one before a Proxy. */
  get attributed(): boolean {
    return this.gate.attributed || (followsProxies() && this.feed instanceof ProxyQueue);
  }

  #beginWhenAllArrived(): void {
    if (this.#begun || this.#arrived < this.branches.length) return;
    this.#begun = true;
    const { lookAhead, root, tickers, gate } = this;
    this.#more = lookAhead !== undefined || root !== undefined || tickers.length > 0 ||
      gate.attributed;
    if (this.branches.some(({ scheduler }) => scheduler === undefined)) {
      this.lookAhead?.add(
        new LockStep(({ message, receipt, failure }) =>
          this.#deliverToAll(message as T, receipt, failure)
        ),
      );
    }
    this.#pump();
  }

  /** Hands out messages until one has to be waited for, or the source has ended. */
  #pump(): void {
    const { feed, gate } = this;
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
          this.#silence?.begin();
          return this.#waitFor(feed);
        }
        if (message === END) {
          for (const witness of gate.witnesses) witness.ended?.();
          if (this.tickers.length === 0) return this.#end();
          this.#exhausted = true;
          for (const { ticker } of this.tickers) ticker.ended();
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
          if (this.#isCurrent(held) && !gate.admits(held.message)) return this.#waitFor(gate);
        } catch (error) {
          this.host.fail(this.error(error));
          return this.#end();
        }
        this.#held = undefined;
        if (!this.#isCurrent(held)) continue;
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
      const branch = this.#only;
      if (branch === undefined || (this.#more && this.root?.selective)) {
        const done = this.#deliverToAll(message as T, receipt, failure);
        if (typeof done === "boolean") {
          if (done) this.#delivered(receipt);
          continue;
        }
        done.then((done) => {
          if (done) this.#delivered(receipt);
          this.#pump();
        });
        return;
      }
      if (this.#more) branch.beginning?.(message as T);
      branch.delivery.begin(message, receipt);
      try {
        const done = failure === undefined ? branch.emit(message as T) : branch.refuse(failure);
        if (done === undefined) {
          this.#delivered(receipt);
          continue;
        }
        this.#branch = branch;
        this.#receipt = receipt;
        this.host.eventLoop.waitBegins(branch);
        done.then(this.#onArrived, this.#onLost);
        return;
      } catch (error) {
        this.#failed(branch, error);
      }
    }
  }

  /** What comes before a message: whether one may be taken now, and work that belongs to none. */
  #between(): "message" | "again" | "later" {
    const { lookAhead, root, feed } = this;
    if (lookAhead !== undefined && !lookAhead.open) return this.#later(lookAhead);
    if (root !== undefined && root.closed) return this.#later(root);
    this.#silence?.end();
    if (this.tickers.length === 0 || feed.away === true) return "message";
    const ticked = this.#tick();
    if (ticked === true) return "again";
    if (ticked !== false) {
      ticked.then(this.#goOn);
      return "later";
    }
    if (!this.#exhausted && !this.tickers.some(({ ticker }) => ticker.full)) return "message";
    this.#rest();
    return "later";
  }

  #later(what: LookAhead | RootSource): "later" {
    this.#waitFor(what);
    return "later";
  }

  /** True unless a message was taken before a seek, or from a partition that was taken away. */
  #isCurrent({ receipt, epoch }: { receipt: Receipt | undefined; epoch: number }): boolean {
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
    const old = branches.filter((branch) =>
      branch.scheduler !== undefined && !root.isNew(branch, receipt!)
    );
    const isFor = (consumer: Consumer) => !old.some(({ scheduler }) => scheduler === consumer);
    lookAhead.take(message, receipt, failure, gate.epoch, isFor);
  }

  /** Does one part of the work that belongs to no message; false when there is none now, true when it is done. */
  #tick(): boolean | Promise<void> {
    for (const { branch, ticker } of this.tickers) {
      if (branch.ended || !ticker.due) continue;
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
          return true;
        }
        this.host.eventLoop.waitBegins(branch);
        return done.then(() => {
          branch.over();
          receipt?.release();
        }, (error) => {
          branch.over();
          this.#failed(branch, error);
        });
      } catch (error) {
        this.#failed(branch, error);
        return true;
      }
    }
    return false;
  }

  /** Waits for the work that belongs to no message; ends when nothing is left of an exhausted source. */
  #rest(): void {
    const left = this.tickers.some(({ branch, ticker }) =>
      !branch.ended && (ticker.pending || ticker.full)
    );
    if (this.#exhausted && !left) return this.#end();
    this.#waiting = true; // a ticker wakes it
  }

  /** Shows a message to those who see all; it gets a receipt where its source gives none. */
  #attribute(message: unknown, receipt = new Receipt(() => {})): Receipt {
    for (const witness of this.gate.witnesses) witness.begin?.(message, receipt);
    return receipt;
  }

  /** Gives a message to all flows that take one at a time; false when one has failed. */
  #deliverToAll(
    message: T,
    receipt: Receipt | undefined,
    failure: Error | undefined,
  ): boolean | Promise<boolean> {
    let failed = this.#isCut;
    let pending: [Branch<T>, Promise<void>][] | undefined;
    const more = this.#more;
    for (const branch of this.branches) {
      if (more && branch.scheduler !== undefined) continue;
      if (branch.flowRun.dead) { // beside others that have begun the message
        failed = true;
        continue;
      }
      if (more) {
        if (this.root?.selective && !this.root.isNew(branch, receipt!)) continue;
        branch.beginning?.(message);
      }
      branch.delivery.begin(message, receipt);
      try {
        const done = failure === undefined ? branch.emit(message) : branch.refuse(failure);
        if (done === undefined) continue;
        this.host.eventLoop.waitBegins(branch);
        (pending ??= []).push([branch, done]);
      } catch (error) {
        failed = true;
        this.#failed(branch, error);
      }
    }
    return pending === undefined ? !failed : this.#waitForAll(pending, failed);
  }

  /** Waits for the flows that have a message still; apart, since closures would cost those that have not. */
  async #waitForAll(
    pending: readonly [Branch<T>, Promise<void>][],
    failed: boolean,
  ): Promise<boolean> {
    await Promise.all(pending.map(([branch, done]) =>
      done.then(() => branch.over(), (error) => {
        failed = true;
        branch.over();
        this.#failed(branch, error);
      })
    ));
    return !failed;
  }

  #delivered(receipt: Receipt | undefined): void {
    this.done++;
    if (receipt !== undefined) {
      receipt.release();
      if (receipt.done && receipt.host === this.host) return; // it has told
    } else if (!this.host.flushes) return;
    this.host.delivered();
  }

  /** A failure that a flow did not deal with: the flow is dead, and its source hands out nothing more. */
  #failed(branch: Branch<T>, error: unknown): void {
    this.#stopping = true;
    branch.flowRun.die(branch.flowRun.sinkError(error));
  }

  #arrivedAtSinks(): void {
    this.#branch!.over();
    this.#delivered(this.#receipt);
    this.#pump();
  }

  #lost(error: unknown): void {
    this.#branch!.over();
    this.#failed(this.#branch!, error);
    this.#pump();
  }

  /** How many messages are taken and not done, and how many of these nobody has begun to handle. */
  get load(): { readonly inFlight: number; readonly waiting: number } {
    const { lookAhead, branches } = this;
    if (lookAhead !== undefined) return lookAhead.load;
    return { inFlight: branches.some((branch) => branch.waits) ? 1 : 0, waiting: 0 };
  }

  /** See {@linkcode LookAheadHost}. */
  isCurrent(inFlight: InFlight): boolean {
    return this.#isCurrent(inFlight);
  }

  /** See {@linkcode LookAheadHost}. */
  settled(receipt: Receipt | undefined): void {
    this.#delivered(receipt);
  }

  /** See {@linkcode LookAheadHost}. */
  dropped(receipt: Receipt | undefined): void {
    if (receipt === undefined) return;
    for (const witness of this.gate.witnesses) witness.dropped?.(receipt);
    if (this.root !== undefined) receipt.root!.abandon!(); // behind a Proxy others have begun it
  }

  /** See {@linkcode LookAheadHost}. */
  recheck(): void {
    this.gate.recheck();
  }

  /** See {@linkcode LookAheadHost}. */
  emptied(): void {
    if (this.#ending && !this.ended) return this.#end();
    if (this.feed instanceof ProxyQueue) this.feed.onIdle();
  }

  /** See {@linkcode LookAheadHost}. */
  now(): number {
    return this.host.eventLoop.now;
  }

  /** Says of an error of the source whose it is. */
  error(cause: unknown): SourceError {
    const flow = this.branches.map(({ flowRun }) => flowRun.flow).join(", ");
    return new SourceError({ ...(flow !== "" && { flow }), source: this.name }, cause);
  }

  /** Goes on after a wait; called too often it does no harm. */
  #wake(): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    const front = this.lookAhead === undefined ? this.#only?.flowRun.front : undefined;
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
    const { lookAhead } = this;
    if (lookAhead !== undefined && lookAhead.taken > 0) {
      this.#ending = true;
      return;
    }
    this.ended = true;
    if (this.#exhausted) this.#silence?.begin();
    this.#unguard();
    this.#held = undefined;
    this.host.hubEnded(this as Hub<unknown>);
    for (const branch of this.branches) branch.isOver?.();
  }
}

/** One flow at one source. */
export class Branch<T> extends Waiter {
  /** Where the flow takes its messages. */
  emit: Emit<T> = () => {};
  /** Tells the flow that it gets no more messages; set once it has arrived. */
  isOver: (() => void) | undefined;
  /** True when the flow takes no more messages of this source. */
  ended = false;
  /** Handles its messages, where it does so concurrently. */
  scheduler: KeyScheduler | undefined;
  /** Told of each message before the flow gets it. */
  beginning: ((message: T) => void) | undefined;

  constructor(readonly hub: Hub<T>, readonly flowRun: FlowRun, readonly delivery: Delivery) {
    super();
    hub.host.eventLoop.watch(this);
  }

  /** Has the policy of the flow say what becomes of a message that could not be read. */
  refuse(failure: Error): Maybe {
    return this.flowRun.refuse(failure, this.delivery);
  }

  /** Its message is not waited for any more. */
  over(): void {
    this.waitEnds();
    this.flowRun.writing = "";
  }

  /** Gives the flow its messages; resolves when it gets no more. */
  run(emit: Emit<T>): Promise<void> {
    return this.hub.arrive(this, emit);
  }
}
