import { SourceError } from "../../errors.ts";
import type { Clock } from "../../clock.ts";
import { followsProxies, onBehalf, runAs, Standby } from "../run/attribution.ts";
import { runDetached } from "../run/current.ts";
import { type EventLoop, type Waiter, YIELD_EVERY } from "../run/event_loop.ts";
import { END, type Feed, WAIT } from "./feed.ts";
import type { Gate } from "./gate.ts";
import type { FlowRun } from "../run/flow_run.ts";
import type { Delivery } from "../run/delivery.ts";
import { ProxyQueue } from "../proxy/proxy_queue.ts";
import { Receipt } from "./receipt.ts";
import { PendingSilence } from "./silence.ts";
import type { Ticker } from "./ticker.ts";
import type { RootSource } from "../state/root_source.ts";
import { type Emit, type Maybe, TURN, type Turn, UNBUFFERED } from "../stage/turn.ts";

/** What a hub tells the run that it belongs to. */
export interface HubHost {
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
 * - Where no flow returns a promise, nothing is awaited: a turn is one synchronous loop.
 * - The gate is asked before every message.
 * - A message that a flow failed on is not acknowledged, and nothing is handed out after it.
 */
export class Hub<T> {
  /** The flows that take part; replaced, never changed, since a flow may leave in the middle of a message. */
  branches: readonly Branch<T>[] = [];
  /** True when nothing more is handed out and the last message is done. */
  ended = false;
  /** How many messages are done. */
  done = 0;
  /** Set where stores hold the positions of its flows. */
  root: RootSource | undefined;
  /** The work of its flows that belongs to no message. */
  readonly tickers: { readonly branch: Branch<T>; readonly ticker: Ticker }[] = [];

  #stopping = false;
  /** True once the source has ended, while tickers have something left. */
  #exhausted = false;
  /** Measured where tickers need it and the source does not tell it. */
  #silence: PendingSilence | undefined;
  #inTurn = false;
  #arrived = 0;
  #left = 0;
  #waiting = false;
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
    this.branches = [...this.branches, branch];
    return branch;
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

  /** For how long, in milliseconds, a partition was known to have nothing more; it never goes back. */
  silence(partition: number): number {
    return this.#silence?.ms ?? this.feed.silence?.(partition) ?? 0;
  }

  /** Hands out nothing more; the message in flight is finished. */
  stop(): void {
    this.#stopping = true;
    this.#resume();
  }

  /** A turn of `branch` begins; the messages start when all flows are there. */
  arrive(branch: Branch<T>, emit: Emit<T>): Maybe {
    if (this.ended || branch.ended) return; // the turn was read ahead, before the end was known
    branch.emit = emit;
    this.#arrived++;
    if (this.branches.length === 1 && this.#begin()) return;
    const over = new Promise<void>((resolve) => branch.turnOver = resolve);
    if (this.branches.length > 1) this.#beginWhenAllArrived();
    return over;
  }

  /** Takes a flow out: the others go on without it, and without any the source ends. */
  leave(branch: Branch<T>): void {
    if (branch.ended) return;
    branch.ended = true;
    this.branches = this.branches.filter((other) => other !== branch);
    const over = branch.turnOver;
    branch.turnOver = undefined;
    over?.();
    if (this.branches.length === 0) return this.stop();
    if (this.#inTurn) return;
    if (over !== undefined) this.#arrived--;
    this.#beginWhenAllArrived();
  }

  /** True when what its flows do must be attributable to a message, also to one before a Proxy. */
  get attributed(): boolean {
    return this.gate.attributed || (followsProxies() && this.feed instanceof ProxyQueue);
  }

  #beginWhenAllArrived(): void {
    if (this.#arrived === this.branches.length && this.#begin()) this.#turnOver();
  }

  /** Starts a turn; true when it is over already. */
  #begin(): boolean {
    this.#arrived = 0;
    this.#left = TURN;
    this.#inTurn = true;
    return this.#pump();
  }

  #turnOver(): void {
    this.#inTurn = false;
    for (const branch of this.branches) {
      const over = branch.turnOver;
      branch.turnOver = undefined;
      over?.();
    }
  }

  /** Hands out messages until one has to be waited for (false), or the turn is over (true). */
  #pump(): boolean {
    const { feed, gate, root } = this;
    for (;;) {
      if (this.#stopping) return this.#end();
      if (gate.closed) return this.#waitFor(gate);
      if (root !== undefined && root.closed) return this.#waitFor(root);
      if (this.#left === 0) return true;
      if (this.#left % YIELD_EVERY === 0 && this.done > 0 && this.#yield()) return false;
      this.#silence?.end();
      if (this.tickers.length > 0 && feed.away !== true) {
        const ticked = this.#tick();
        if (ticked === true) continue;
        if (ticked !== false) {
          ticked.then(this.#goOn);
          return false;
        }
        const full = this.tickers.find(({ ticker }) => ticker.full);
        if (full !== undefined || this.#exhausted) return this.#rest();
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
        if (gate.closed || (gate.guarded && feed.partitioned !== true)) {
          this.#held = { message, receipt, failure, epoch: gate.epoch };
          continue;
        }
      } else {
        const held = this.#held;
        try {
          if (held.epoch === gate.epoch && !gate.admits(held.message)) return this.#waitFor(gate);
        } catch (error) {
          this.host.fail(this.error(error));
          return this.#end();
        }
        this.#held = undefined;
        if (held.epoch !== gate.epoch) continue;
        ({ message, receipt, failure } = held);
      }

      this.#left--;
      if (root !== undefined) root.enter(receipt!);
      if (gate.attributed) receipt = this.#attribute(message, receipt);
      if (receipt !== undefined && receipt.gate === undefined) { // behind a Proxy it has one
        receipt.origin = message;
        receipt.gate = gate;
        if (this.positioned) receipt.positioned = true;
        receipt.host = this.host;
      }
      if (this.branches.length !== 1) {
        const all = this.#deliverToAll(message as T, receipt, failure);
        if (all === undefined) continue;
        all.then(this.#goOn);
        return false;
      }
      const branch = this.branches[0]!;
      branch.beginning?.(message);
      branch.delivery.root = message;
      branch.delivery.receipt = receipt;
      branch.delivery.from = undefined;
      try {
        const done = branch.take(message as T, failure);
        if (done === undefined) {
          this.#delivered(receipt);
          continue;
        }
        this.#branch = branch;
        this.#receipt = receipt;
        this.host.eventLoop.waitBegins(branch);
        done.then(this.#arrivedAtSinks, this.#lost);
        return false;
      } catch (error) {
        this.#failed(branch, error);
      }
    }
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

  /** Waits for the work that belongs to no message; true when nothing is left of an exhausted source. */
  #rest(): boolean {
    const left = this.tickers.some(({ branch, ticker }) =>
      !branch.ended && (ticker.pending || ticker.full)
    );
    if (this.#exhausted && !left) return this.#end();
    this.#waiting = true; // a ticker wakes it
    return false;
  }

  /** Shows a message to those who see all; it gets a receipt where its source gives none. */
  #attribute(message: unknown, receipt = new Receipt(() => {})): Receipt {
    for (const witness of this.gate.witnesses) witness.begin?.(message, receipt);
    return receipt;
  }

  #deliverToAll(
    message: T,
    receipt: Receipt | undefined,
    failure: Error | undefined,
  ): Promise<void> | undefined {
    let failed = false;
    let pending: [Branch<T>, Promise<void>][] | undefined;
    for (const branch of this.branches) {
      if (this.root?.selective && !this.root.isNew(branch, receipt!)) continue;
      const { delivery } = branch;
      branch.beginning?.(message);
      delivery.root = message;
      delivery.receipt = receipt;
      delivery.from = undefined;
      try {
        const done = branch.take(message, failure);
        if (done === undefined) continue;
        this.host.eventLoop.waitBegins(branch);
        (pending ??= []).push([branch, done]);
      } catch (error) {
        failed = true;
        this.#failed(branch, error);
      }
    }
    if (pending !== undefined) return this.#deliveredToAll(pending, failed, receipt);
    if (!failed) this.#delivered(receipt);
    return undefined;
  }

  /** Waits for the flows that have a message still; apart, since closures would cost those that have not. */
  async #deliveredToAll(
    pending: readonly [Branch<T>, Promise<void>][],
    failed: boolean,
    receipt: Receipt | undefined,
  ): Promise<void> {
    await Promise.all(pending.map(([branch, done]) =>
      done.then(() => branch.over(), (error) => {
        failed = true;
        branch.over();
        this.#failed(branch, error);
      })
    ));
    if (!failed) this.#delivered(receipt);
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

  #arrivedAtSinks = (): void => {
    this.#branch!.over();
    this.#delivered(this.#receipt);
    this.#goOn();
  };

  #lost = (error: unknown): void => {
    this.#branch!.over();
    this.#failed(this.#branch!, error);
    this.#goOn();
  };

  #goOn = (): void => {
    if (this.#pump()) this.#turnOver();
  };

  /** Says of an error of the source whose it is. */
  error(cause: unknown): SourceError {
    const flow = this.branches.map(({ flowRun }) => flowRun.flow).join(", ");
    return new SourceError({ ...(flow !== "" && { flow }), source: this.name }, cause);
  }

  /** Goes on after a wait; called too often it does no harm. */
  #resume = (): void => {
    if (!this.#waiting) return;
    this.#waiting = false;
    const front = this.branches.length === 1 ? this.branches[0]!.flowRun.front : undefined;
    // The next message is likely to need what the last one needed: entered once, not for each of the turn.
    if (front?.receipt === undefined) return runDetached(this.#goOn);
    this.#again ??= runAs(front, () => new Standby(this.#goOn));
    this.#again.call();
  };

  #waitFor(what: { wait(wake: () => void): void }): false {
    this.#waiting = true;
    what.wait(this.#resume);
    return false;
  }

  /** Lets a macrotask pass when the last one is long ago. */
  #yield(): boolean {
    const { eventLoop } = this.host;
    if (!eventLoop.mustYield) return false;
    this.#waiting = true;
    eventLoop.yieldThen(this.#resume);
    return true;
  }

  #end(): true {
    this.ended = true;
    this.#held = undefined;
    this.host.hubEnded(this as Hub<unknown>);
    return true;
  }
}

/** One flow at one source. */
export class Branch<T> implements Waiter {
  /** Where the flow takes its messages, while a turn of it runs. */
  emit: Emit<T> = () => {};
  /** Ends the turn that the flow is in, or waits for. */
  turnOver: (() => void) | undefined;
  /** True when the flow takes no more messages of this source. */
  ended = false;
  /** Told of each message before the flow gets it. */
  beginning: ((message: T) => void) | undefined;
  /** See {@linkcode Waiter}. */
  turns = 0;
  /** See {@linkcode Waiter}. */
  seen = { turns: 0, at: 0 };

  constructor(readonly hub: Hub<T>, readonly flowRun: FlowRun, readonly delivery: Delivery) {
    hub.host.eventLoop.watch(this);
  }

  /** True while its message is waited for. */
  get waiting(): boolean {
    return (this.turns & 1) === 1;
  }

  /** Since when its message is waited for; undefined until the macrotask after that. */
  get since(): number | undefined {
    return this.seen.turns === this.turns ? this.seen.at : undefined;
  }

  /** Gives the flow its message, or has its policy say what becomes of one that could not be read. */
  take(message: T, failure: Error | undefined): Maybe {
    return failure === undefined ? this.emit(message) : this.flowRun.refuse(failure, this.delivery);
  }

  /** Its message is not waited for any more. */
  over(): void {
    this.turns = (this.turns + 1) | 0;
    this.flowRun.writing = "";
  }

  /** The turns of this flow, as a stream. */
  readable(): ReadableStream<Turn<T>> {
    const arrive = (emit: Emit<T>) => this.hub.arrive(this, emit);
    const { front } = this.flowRun;
    const entered = front && onBehalf(front, arrive);
    // Behind a Proxy many messages belong to nobody: entering is for those that are acknowledged.
    const run = (emit: Emit<T>) =>
      (entered === undefined || front!.receipt === undefined ? arrive : entered)(emit);
    return new ReadableStream<Turn<T>>({
      pull: (controller) => {
        if (this.ended || this.hub.ended) controller.close();
        else controller.enqueue({ run });
      },
    }, UNBUFFERED);
  }
}
