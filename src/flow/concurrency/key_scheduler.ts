import { Deque } from "@std/data-structures/deque";
import { runAs, Standby } from "../run/attribution.ts";
import { runDetached } from "../run/current.ts";
import type { Delivery } from "../run/delivery.ts";
import { type EventLoop, Waiter } from "../run/event_loop.ts";
import { type FlowRun, STOPPED } from "../run/flow_run.ts";
import type { Emit, Maybe } from "../stage/stage.ts";
import { RootMessage } from "../state/root_message.ts";
import type { Admission, Passed, Place } from "./admission.ts";
import { Given, type GivenResults, type GiveResult } from "./given_results.ts";
import type { InFlight } from "./in_flight.ts";
import type { KeyOf } from "./keys.ts";
import type { Consumer, LookAhead } from "./look_ahead.ts";

/** The stages of a concurrent flow for one message at a time, with a context of their own. */
export interface Chain {
  readonly flowRun: FlowRun;
  /** What its first stage reads. */
  readonly delivery: Delivery;
  readonly emit: Emit<unknown>;
  /** Where there is a window: what has reached it of the message, and where results begin. */
  readonly window?: WindowPort | undefined;
}

/** A window in a chain. */
export interface WindowPort {
  /** What the pipes before it have passed on of the message in the slot. */
  passed: Passed[];
  /** Gives a result to the stages behind it; set by the window. */
  give: GiveResult;
}

/** A message that a flow was given, and has not done; or a result of its window. */
interface Work {
  readonly inFlight: InFlight;
  readonly lookAhead: LookAhead | GivenResults;
  /** Its place in the order in which the window of the flow takes messages in. */
  readonly place: Place | undefined;
  readonly key: unknown;
  /** Why it has no key. */
  readonly failure: Error | undefined;
  /** The next of its key. */
  next: Work | undefined;
}

/** Where one message after the other is handled. */
export class Slot extends Waiter {
  /** What is handled in it now. */
  work: Work | undefined;
  /** True while it waits for a retry, and others have its turn. */
  resting = false;
  /** Why the flow has failed on its message. */
  failure: { readonly error: unknown } | undefined;
  readonly arrived: () => void;
  readonly lost: (error: unknown) => void;
  /** Resumes in the slot's context, where calls are attributed; entering it anew would cost more than all the rest. */
  again: Standby | undefined;

  constructor(readonly chain: Chain, settled: (slot: Slot) => void) {
    super();
    this.arrived = () => settled(this);
    this.lost = (error) => {
      this.failure = { error };
      settled(this);
    };
  }
}

/** From so many keys on, those whose messages are in a cut are forgotten. */
const MIN_LASTS = 1_000;

/** How a {@linkcode KeyScheduler} works. */
export interface KeySchedulerOptions {
  /** How many messages are handled at the same time. */
  readonly max: number;
  readonly keyOf: KeyOf;
  /** Makes another chain of the flow's stages. */
  readonly makeChain: () => Chain;
  readonly eventLoop: EventLoop;
  /** The flow has failed on a message: nothing more is to be begun. */
  readonly failed: (chain: Chain, error: unknown) => void;
  /** Gives the messages to the window of the flow, where it has one. */
  readonly admission?: Admission | undefined;
  /** A slot is free that nothing has taken; a result of the window may. */
  readonly freed?: (() => void) | undefined;
}

/**
 * Handles the messages of a flow concurrently: those of one key one after the other, in the order in which they came,
 * and no more than `max` at the same time.
 *
 * - A message that waits for a retry keeps its key, and gives up its slot; it takes one again before new ones do.
 * - Those whose key is free begin in the order in which it became free.
 */
export class KeyScheduler implements Consumer {
  readonly #options: KeySchedulerOptions;
  /** The last message of each key that is not free. */
  readonly #tails = new Map<unknown, Work>();
  readonly #ready = new Deque<Work>();
  /** Those whose retry is due, and that wait for a slot. */
  readonly #returning = new Deque<() => void>();
  readonly #free: Slot[] = [];
  readonly #slots: Slot[] = [];
  /** What is taken of the sources of the flow; first the one that a message was taken of longest ago. */
  readonly #lookAheads = new Set<LookAhead>();
  /** How many are being handled, but for those that wait for a retry. */
  #running = 0;
  #resting = 0;
  #waiting = 0;
  #pumping = false;
  /** Slots whose message has finished, until `#settle` frees them. */
  #settled: Slot[] = [];
  /** Calls `#settle` detached: the code that finished a message still runs for it. */
  readonly #goOn = runDetached(() => new Standby(() => this.#settle()));
  /** The last message of each key that may be in no cut yet, where a state is kept. */
  readonly #lasts = new Map<unknown, RootMessage>();
  #lastsLimit = MIN_LASTS;

  constructor(options: KeySchedulerOptions) {
    this.#options = options;
    this.#free.push(this.#makeSlot());
  }

  get #isDead(): boolean {
    return this.#slots[0]!.chain.flowRun.dead;
  }

  /** How many messages are being handled, or wait for a retry. */
  get open(): number {
    return this.#running + this.#resting;
  }

  /** How many messages wait for their key or for a slot. */
  get waiting(): number {
    return this.#waiting;
  }

  /** The slots in which messages are. */
  get busy(): readonly Slot[] {
    return this.#slots.filter(({ work }) => work !== undefined);
  }

  /** It gets messages of this source. */
  read(lookAhead: LookAhead): void {
    if (this.#lookAheads.size === 1 && this.#lookAheads.has(lookAhead)) return;
    this.#lookAheads.delete(lookAhead);
    this.#lookAheads.add(lookAhead);
  }

  /** See {@linkcode Consumer.wants}. */
  get wants(): boolean {
    return this.#running < this.#options.max && this.#ready.length === 0 &&
      this.#returning.length === 0;
  }

  /** See {@linkcode Consumer.take}. */
  take(inFlight: InFlight, lookAhead: LookAhead): void {
    this.read(lookAhead); // the next slot is for another source
    let key: unknown;
    let failure: Error | undefined = inFlight.failure;
    if (failure === undefined) {
      try {
        key = this.#options.keyOf(inFlight.message, inFlight.partition);
      } catch (error) {
        failure = error as Error; // the flow's policy is asked
      }
    }
    const place = this.#options.admission?.take(inFlight, lookAhead);
    this.#add({ inFlight, lookAhead, place, key, failure, next: undefined });
  }

  /** Handles a result of the window: after the earlier ones of its key. */
  give(inFlight: Given, key: unknown, lookAhead: GivenResults): void {
    this.#add({ inFlight, lookAhead, place: undefined, key, failure: undefined, next: undefined });
  }

  #add(work: Work): void {
    const { key } = work;
    if (key !== undefined) {
      const tail = this.#tails.get(key);
      this.#tails.set(key, work);
      if (tail !== undefined) {
        this.#waiting++;
        tail.next = work;
        return;
      }
    }
    this.#waiting++;
    this.#ready.pushBack(work);
    this.#pump();
  }

  /** See {@linkcode Consumer.drop}. */
  drop(lookAhead: LookAhead): void {
    this.#tails.clear();
    const ready = [...this.#ready];
    this.#ready.clear();
    for (const work of ready) {
      const kept = this.#keep(work, lookAhead);
      if (kept !== undefined) this.#ready.pushBack(kept);
    }
    for (const { work } of this.#slots) {
      if (work?.key === undefined) continue;
      if (work.next === undefined) this.#tails.set(work.key, work);
      else work.next = this.#keep(work.next, lookAhead) ?? void this.#tails.set(work.key, work);
    }
  }

  /** Drops what nobody has begun of works of one key; returns the first that is left. */
  #keep(first: Work, lookAhead: LookAhead): Work | undefined {
    let kept: Work | undefined;
    let last: Work | undefined;
    for (let work: Work | undefined = first; work !== undefined; work = work.next) {
      if (work.lookAhead === lookAhead && !work.inFlight.begun) {
        this.#waiting--;
        this.#done(work, true);
        continue;
      }
      kept ??= work;
      if (last !== undefined) last.next = work;
      last = work;
    }
    if (last === undefined) return undefined;
    last.next = undefined;
    if (last.key !== undefined) this.#tails.set(last.key, last);
    return kept;
  }

  /** See {@linkcode Consumer.handles}. */
  handles(inFlight: InFlight): boolean {
    return this.#slots.some(({ work, resting }) => work?.inFlight === inFlight && !resting);
  }

  /** Waits for a retry of the message in `slot` without its turn, and takes one again. */
  async #rest(slot: Slot, wait: () => Promise<void>): Promise<void> {
    slot.resting = true;
    this.#running--;
    this.#resting++;
    queueMicrotask(() => runDetached(() => this.#freed()));
    try {
      await wait();
    } finally {
      if (this.#running >= this.#options.max) {
        await new Promise<void>((resolve) => this.#returning.pushBack(resolve));
      } else this.#running++;
      this.#resting--;
      slot.resting = false;
    }
  }

  #makeSlot(): Slot {
    const slot = new Slot(this.#options.makeChain(), (slot) => {
      if (this.#settled.push(slot) === 1) this.#goOn.call();
    });
    slot.chain.flowRun.rest = (wait) => this.#rest(slot, wait);
    this.#slots.push(slot);
    this.#options.eventLoop.watch(slot);
    return slot;
  }

  /** Begins with what is ready while there are slots. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#running < this.#options.max) {
        const back = this.#returning.popFront();
        if (back !== undefined) {
          this.#running++;
          back();
          continue;
        }
        const work = this.#ready.popFront();
        if (work === undefined) break;
        this.#begin(work);
      }
    } finally {
      this.#pumping = false;
    }
  }

  #begin(work: Work): void {
    const { inFlight, lookAhead } = work;
    this.#waiting--;
    if (this.#isDead || !inFlight.begun && !lookAhead.isCurrent(inFlight)) {
      this.#next(work);
      return this.#done(work, true);
    }
    lookAhead.begin(inFlight);
    // A window takes messages in by the order of their partitions, so there one of a key may come before an earlier one.
    if (work.key !== undefined && work.place === undefined) this.#buildOnLast(work);
    const slot = this.#free.pop() ?? this.#makeSlot();
    const { chain: { delivery, flowRun: { front } } } = slot;
    slot.work = work;
    this.#running++;
    delivery.begin(inFlight.message, inFlight.receipt);
    if (front === undefined || inFlight.receipt === undefined) return this.#handle(slot);
    slot.again ??= runAs(front, () => new Standby(() => this.#handle(slot)));
    slot.again.call();
  }

  /** Has the flow handle the message in a slot. */
  #handle(slot: Slot): void {
    const { chain: { delivery, emit, flowRun }, work } = slot;
    const { failure, inFlight } = work!;
    if (flowRun.dead) return slot.lost(STOPPED); // it failed after the message was taken
    let done: Maybe;
    try {
      if (failure !== undefined) done = flowRun.refuse(failure, delivery);
      else if (inFlight instanceof Given) done = slot.chain.window!.give(inFlight);
      else done = emit(inFlight.message);
    } catch (error) {
      return slot.lost(error);
    }
    if (done === undefined) return slot.arrived();
    this.#options.eventLoop.waitBegins(slot);
    done.then(slot.arrived, slot.lost);
  }

  /** In a cut of a state a message of a key comes after the one before it. */
  #buildOnLast({ key, inFlight: { receipt } }: Work): void {
    const root = receipt?.root;
    if (!(root instanceof RootMessage)) return;
    const last = this.#lasts.get(key);
    if (last !== undefined) root.buildsOn(last);
    this.#lasts.set(key, root);
    if (this.#lasts.size < this.#lastsLimit) return;
    for (const [key, { cut }] of this.#lasts) if (cut) this.#lasts.delete(key);
    this.#lastsLimit = Math.max(MIN_LASTS, 2 * this.#lasts.size);
  }

  /** Goes on after messages that are done, or on which the flow has failed. */
  #settle(): void {
    const settled = this.#settled;
    this.#settled = [];
    for (const slot of settled) {
      const { work, failure, chain } = slot;
      if (slot.waits) slot.waitEnds();
      chain.flowRun.writing = "";
      slot.work = slot.failure = undefined;
      if (failure !== undefined) this.#options.failed(chain, failure.error);
      this.#running--;
      this.#free.push(slot);
      this.#next(work!);
      this.#done(work!, failure !== undefined, work!.place && takePassed(chain));
    }
    this.#freed();
  }

  /** A message has left its slot, or never comes to one; where there is a window, it goes there now. */
  #done({ inFlight, lookAhead, place }: Work, lost: boolean, passed?: readonly Passed[]): void {
    if (place === undefined) lookAhead.settle(inFlight, lost);
    else if (lost) this.#options.admission!.lost(place);
    else this.#options.admission!.passed(place, passed!);
  }

  /** A slot is free: whatever is ready takes it, else its sources are read. */
  #freed(): void {
    this.#pump();
    this.#options.freed?.();
    for (const lookAhead of [...this.#lookAheads]) lookAhead.changed();
  }

  /** The key of a message is free for the next one. */
  #next({ key, next }: Work): void {
    if (next !== undefined) this.#ready.pushBack(next);
    else if (key !== undefined) this.#tails.delete(key);
  }
}

/** What has reached the window of a chain since it was asked last. */
function takePassed({ window }: Chain): readonly Passed[] {
  const { passed } = window!;
  window!.passed = [];
  return passed;
}
