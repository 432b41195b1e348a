import type { RootSource } from "../state/root_source.ts";
import type { KeyScheduler } from "../concurrency/key_scheduler.ts";
import type { Delivery } from "../run/delivery.ts";
import { type EventLoop, Waiter } from "../run/event_loop.ts";
import type { FlowRun } from "../run/flow_run.ts";
import type { Emit, Maybe } from "../stage/stage.ts";
import type { Receipt } from "./receipt.ts";

/** The loop of a source, as those who take part in it see it. */
export interface BranchesHost {
  /** The name of the source. */
  readonly name: string;
  readonly host: { readonly eventLoop: EventLoop };
  /** All flows of the source are there. */
  begin(): void;
  /** All have left. */
  stop(): void;
}

/**
 * The flows that take part in a source. It begins when all have arrived; each may leave, and the others go on. What
 * is delivered to all of them goes in lock-step: the next message comes when all are done with this one.
 */
export class Branches<T> {
  /** Replaced, never changed, since a flow may leave in the middle of a message. */
  all: readonly Branch<T>[] = [];
  /** The only flow, where there is one. */
  only: Branch<T> | undefined;

  readonly #host: BranchesHost;
  #arrived = 0;
  #begun = false;
  #over = false;
  /** A flow that failed has left: what others have begun is not done without it. */
  #isCut = false;
  /** See {@linkcode Branches.askFirst}. */
  #asksFirst = false;
  #root: RootSource | undefined;

  constructor(host: BranchesHost) {
    this.#host = host;
  }

  /** The flows, in words. */
  get flows(): string {
    return this.all.map(({ flowRun }) => flowRun.flow).join(", ");
  }

  /** True where a flow handles one message after the other. */
  get anySequential(): boolean {
    return this.all.some(({ scheduler }) => scheduler === undefined);
  }

  /** Adds a flow. */
  add(flowRun: FlowRun, delivery: Delivery, scheduler?: KeyScheduler): Branch<T> {
    const { name, host: { eventLoop } } = this.#host;
    const branch = new Branch(this, name, flowRun, delivery, scheduler);
    eventLoop.watch(branch);
    this.#takeIn([...this.all, branch]);
    return branch;
  }

  #takeIn(branches: readonly Branch<T>[]): void {
    this.all = branches;
    this.only = branches.length === 1 ? branches[0] : undefined;
  }

  /** Gives a flow its messages, from when all flows of the source are there; resolves when it gets no more. */
  arrive(branch: Branch<T>, emit: Emit<T>): Promise<void> {
    if (this.#over || branch.ended) return Promise.resolve();
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
    this.#takeIn(this.all.filter((other) => other !== branch));
    if (branch.isOver !== undefined) this.#arrived--;
    branch.isOver?.();
    if (this.all.length === 0) return this.#host.stop();
    this.#beginWhenAllArrived();
  }

  #beginWhenAllArrived(): void {
    if (this.#begun || this.#arrived < this.all.length) return;
    this.#begun = true;
    this.#host.begin();
  }

  /** Has each flow asked before each message whether it is for it, and told that it comes. */
  askFirst(root: RootSource | undefined): void {
    this.#asksFirst = true;
    this.#root = root;
  }

  /** Gives a message to all flows that take one at a time; false when one has failed. */
  deliver(
    message: T,
    receipt: Receipt | undefined,
    failure: Error | undefined,
  ): boolean | Promise<boolean> {
    let failed = this.#isCut;
    let pending: [Branch<T>, Promise<void>][] | undefined;
    const asksFirst = this.#asksFirst;
    for (const branch of this.all) {
      if (asksFirst && branch.scheduler !== undefined) continue;
      if (branch.flowRun.dead) { // beside others that have begun the message
        failed = true;
        continue;
      }
      if (asksFirst) {
        if (this.#root?.selective && !this.#root.isNew(branch, receipt!)) continue;
        branch.beginning?.(message);
      }
      branch.delivery.begin(message, receipt);
      try {
        const done = failure === undefined ? branch.emit(message) : branch.refuse(failure);
        if (done === undefined) continue;
        this.#host.host.eventLoop.waitBegins(branch);
        (pending ??= []).push([branch, done]);
      } catch (error) {
        failed = true;
        branch.failed(error);
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
        branch.failed(error);
      })
    ));
    return !failed;
  }

  /** The source has ended: none gets any more. */
  end(): void {
    this.#over = true;
    for (const branch of this.all) branch.isOver?.();
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
  /** Told of each message before the flow gets it. */
  beginning: ((message: T) => void) | undefined;
  readonly #branches: Branches<T>;

  constructor(
    branches: Branches<T>,
    readonly source: string,
    readonly flowRun: FlowRun,
    /** Where the message in flight is noted. */
    readonly delivery: Delivery,
    /** Handles its messages, where it does so concurrently. */
    readonly scheduler: KeyScheduler | undefined,
  ) {
    super();
    this.#branches = branches;
  }

  /** Gives the flow its messages; resolves when it gets no more. */
  run(emit: Emit<T>): Promise<void> {
    return this.#branches.arrive(this, emit);
  }

  /** The flow takes no more messages. */
  leave(): void {
    this.#branches.leave(this);
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

  /** A failure that the flow did not deal with: it is dead, and its sources hand out nothing more. */
  failed(error: unknown): void {
    this.flowRun.die(this.flowRun.sinkError(error));
  }
}
