import { Deque } from "@std/data-structures/deque";
import { CycleError, ProxyEndedError, ProxyFullError } from "../../errors.ts";
import { currentMessage } from "../run/attribution.ts";
import { END, type Feed, WAIT } from "../source/feed.ts";
import { type FlowRun, STOPPED } from "../run/flow_run.ts";
import type { Receipt } from "../source/receipt.ts";
import type { Maybe } from "../stage/stage.ts";

interface Queued<T> {
  readonly value: T;
  readonly receipt: Receipt | undefined;
}

/** A value that did not find room yet. */
interface Waiting<T> extends Queued<T> {
  readonly flowRun: FlowRun | undefined;
  readonly accepted: () => void;
  readonly refused: (error: unknown) => void;
}

/** The Proxies that a flow waits for; more than one, or one several times, where it handles messages concurrently. */
const blockedOn = new WeakMap<FlowRun, ProxyQueue<unknown>[]>();

/**
 * The bounded queue inside a Proxy.
 *
 * - A value is accepted in the order of the calls; a full queue makes the caller wait until half of it
 *   has been read, so that writers and readers take turns in runs and not one by one.
 * - Each accepted value retains the receipt of the message it was made from.
 */
export class ProxyQueue<T> implements Feed<T> {
  receipt: Receipt | undefined;
  /** Called when the reader waits for a value. */
  onIdle: () => void = () => {};
  /** Also called then. */
  readonly onIdleToo: Set<() => void> = new Set();
  /** The flows that read it in this run. */
  readers: FlowRun[] = [];
  /** The writers that user code keeps open. */
  readonly writers: Set<object> = new Set();
  /** True once user code has closed the last of its writers: it ends like the flows that write to it. */
  released = false;

  readonly bound: number;
  readonly #queued: Deque<Queued<T>> = new Deque();
  readonly #waiting: Deque<Waiting<T>> = new Deque();
  #sending = 0;
  #state: "open" | "ended" | "dead" = "open";
  #closedByUser = false;
  /** The app stops: only what belongs to a message is still accepted. */
  #draining = false;
  #wake: (() => void) | undefined;

  constructor(bound: number) {
    this.bound = bound;
  }

  /** How many values wait to be read. */
  get size(): number {
    return this.#queued.length + this.#waiting.length;
  }

  /** True when nothing is queued and the reader has finished everything before. */
  get idle(): boolean {
    return this.size === 0 && this.#wake !== undefined;
  }

  /** True when no more values are accepted. */
  get ended(): boolean {
    return this.#state !== "open";
  }

  /** Takes a value from user code; a promise is backpressure. */
  send(value: T): Maybe {
    const receipt = currentMessage()?.receipt;
    if (receipt === undefined || receipt.done) return this.offer(value, undefined, undefined);
    const sent = receipt.forSent();
    try {
      return this.offer(value, undefined, sent);
    } finally {
      sent.release(); // whoever has the value retains it
    }
  }

  /** Takes a value from a flow (`flowRun`) or from user code; a promise is backpressure. */
  offer(value: T, flowRun: FlowRun | undefined, receipt: Receipt | undefined): Maybe {
    const isOutside = flowRun === undefined && receipt === undefined;
    if (this.#state !== "open" || (this.#draining && isOutside)) throw this.#refusal(flowRun);
    const room = this.#queued.length < this.bound;
    // Those that wait go first, unless the caller is the one that frees their places.
    if (
      room && (this.#waiting.length === 0 || (flowRun !== undefined && this.#waitsFor(flowRun)))
    ) {
      receipt?.retain();
      this.#put({ value, receipt });
      return;
    }
    return this.#wait(value, receipt, flowRun);
  }

  #wait(value: T, receipt: Receipt | undefined, flowRun: FlowRun | undefined): Promise<void> {
    if (flowRun === undefined) {
      if (this.#sending >= this.bound) {
        throw new ProxyFullError(
          `Cannot send to the Proxy as at most ${this.bound} sends may wait: await send()`,
        );
      }
      this.#sending++;
    } else if (this.readers.length === 0) {
      throw new CycleError(
        `Cannot send to the Proxy as flow "${flowRun.flow}" would wait forever: ` +
          `all ${this.bound} places are taken and no flow reads it`,
      );
    } else if (this.#waitsFor(flowRun)) {
      throw new CycleError(
        `Cannot send to the Proxy as flow "${flowRun.flow}" would wait for itself: ` +
          `all ${this.bound} places are taken and nobody else can free one; raise the bound`,
      );
    } else {
      const queues = blockedOn.get(flowRun) ?? [];
      queues.push(this as unknown as ProxyQueue<unknown>);
      blockedOn.set(flowRun, queues);
    }
    receipt?.retain();
    return new Promise((accepted, refused) => {
      this.#waiting.pushBack({ value, receipt, flowRun, accepted, refused });
    });
  }

  /** Walks who waits for whom: true when a reader of this queue can only go on after that flow does. */
  #waitsFor(flowRun: FlowRun, seen: Set<unknown> = new Set()): boolean {
    if (seen.has(this)) return false;
    seen.add(this);
    return this.readers.some((reader) => {
      return reader === flowRun ||
        blockedOn.get(reader)?.some((queue) => queue.#waitsFor(flowRun, seen));
    });
  }

  #put(entry: Queued<T>): void {
    this.#queued.pushBack(entry);
    const wake = this.#wake;
    if (wake === undefined) return;
    this.#wake = undefined;
    queueMicrotask(wake);
  }

  poll(): T | typeof WAIT | typeof END {
    if (this.#state === "dead") return END;
    const entry = this.#queued.popFront();
    if (entry === undefined) return this.#state === "ended" ? END : WAIT;
    if (this.#waiting.length > 0 && this.#queued.length <= this.bound >> 1) this.#admit();
    this.receipt = entry.receipt;
    return entry.value;
  }

  /** Lets those in that wait for room. */
  #admit(): void {
    while (this.#queued.length < this.bound) {
      const waiting = this.#waiting.popFront();
      if (waiting === undefined) return;
      this.#leave(waiting);
      this.#queued.pushBack({ value: waiting.value, receipt: waiting.receipt });
      waiting.accepted();
    }
  }

  #leave({ flowRun }: Waiting<T>): void {
    if (flowRun === undefined) return void this.#sending--;
    const queues = blockedOn.get(flowRun)!;
    queues.splice(queues.indexOf(this as unknown as ProxyQueue<unknown>), 1);
  }

  wait(wake: () => void): void {
    this.#wake = wake;
    this.onIdle();
    for (const call of this.onIdleToo) call();
  }

  /** Accepts nothing more of code outside of flows, or of messages that nobody acknowledges. */
  drain(): void {
    this.#draining = true;
  }

  /** Accepts nothing more; what is queued is still read. */
  end(byUser = false): void {
    this.#closedByUser ||= byUser;
    if (this.#state === "open") this.#state = "ended";
    this.#notify();
  }

  /** A flow that reads it has failed: what is queued is never done, and its writers are released. */
  abandon(): void {
    this.#state = "dead";
    this.#refuseWaiting();
    this.#notify();
  }

  /** Prepares for a run; a Proxy that a run before ended is open again, one closed by the user is not. */
  begin(): void {
    this.#state = this.#closedByUser ? "ended" : "open";
    this.#draining = false;
  }

  /** The run is over: forgets what nobody will read. */
  cancel(): void {
    if (this.#state === "open") this.#state = "ended"; // a dead one stays dead for its writers
    this.#refuseWaiting();
    this.#queued.clear();
    this.receipt = undefined;
    this.readers = [];
    this.released = false;
    this.onIdle = () => {};
    this.onIdleToo.clear();
    this.#wake = undefined;
  }

  #refuseWaiting(): void {
    for (const waiting of this.#waiting) {
      this.#leave(waiting);
      waiting.refused(this.#refusal(waiting.flowRun));
      if (waiting.flowRun === undefined) waiting.receipt?.release(); // the caller knows
    }
    this.#waiting.clear();
  }

  /** What a writer gets instead of a place: a flow ends with the one that failed, and is not to blame. */
  #refusal(flowRun: FlowRun | undefined): unknown {
    if (this.#state !== "dead") {
      return new ProxyEndedError("Cannot send to a Proxy that has ended: nobody reads it any more");
    }
    if (flowRun !== undefined) return STOPPED;
    return new ProxyEndedError("Cannot send to a Proxy whose reader has failed");
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
