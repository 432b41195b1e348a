import { InOrder } from "../source/in_order.ts";
import type { Root } from "../source/receipt.ts";
import type { Change, StateMessage } from "./state.ts";

let count = 0;

/** The source that a message of a concurrent flow came from. */
interface MessageSource {
  /** Returns whether its messages belong to the cuts of `driver`. */
  drives(driver: object): boolean;
  /** A message is done. */
  finished(message: RootMessage): void;
  /** A message was dropped before it began. */
  abandoned(message: RootMessage): void;
}

/**
 * A message of a source whose flows handle several at the same time, or a tick of it, until it is in a cut of their
 * state: what has changed for it, and which messages must be in that cut too.
 */
export class RootMessage implements Root, StateMessage {
  readonly order: number = count++;
  /** True when everything made from it is done. */
  done = false;
  /** True once it is in a cut. */
  cut = false;
  /** True while a cut is taken that it is not in. */
  left = false;
  /** True once a window has taken it in: no cut is taken without it, since the window cannot be stored without it. */
  required = false;
  /** What was changed in stores for it, in this order. */
  readonly changes: Change[] = [];
  /** Those not in a cut yet whose work it builds on. */
  readonly needs: Set<RootMessage> = new Set();

  constructor(
    readonly source: MessageSource,
    readonly partition: number,
    readonly next: unknown,
  ) {}

  /** See {@linkcode Root.drives}. */
  drives(driver: object): boolean {
    return this.source.drives(driver);
  }

  /** Its work builds on that of another message: it has read or changed something of that, or is the next of its key. */
  buildsOn(other: RootMessage): void {
    if (other !== this && !other.cut) this.needs.add(other);
  }

  /** See {@linkcode Root.leave}. */
  leave(): void {
    this.done = true;
    this.source.finished(this);
  }

  /** See {@linkcode Root.abandon}. */
  abandon(): void {
    this.source.abandoned(this);
  }
}

/** The messages of one partition that are not all in a cut, in the order of the source. */
export class MessageLine {
  readonly #entries = new InOrder<RootMessage>(compare);

  /** Begins at `position`: everything before it is in a cut, or was never there. */
  constructor(public position: unknown) {}

  /** Adds a message: the newest, or one that was dropped and comes again. */
  add(message: RootMessage): void {
    this.#entries.put(message);
  }

  /** Passes over the messages that are in a cut, and returns them. */
  advance(): readonly RootMessage[] {
    const passed: RootMessage[] = [];
    while (this.#entries.first?.cut) passed.push(this.#entries.shift());
    this.position = passed.at(-1)?.next ?? this.position;
    return passed;
  }

  /** The positions after messages that are in a cut, behind one that is not. */
  get cut(): unknown[] {
    return this.#entries.all.filter((message) => message.cut).map(({ next }) => next);
  }

  /** The position after the last message before which all are done. */
  get done(): unknown {
    let position = this.position;
    for (const message of this.#entries.all) {
      if (!message.done && !message.cut) break;
      position = message.next;
    }
    return position;
  }
}

function compare({ next }: RootMessage, { next: other }: RootMessage): number {
  if (next === other) return 0;
  const isAfter = typeof next === typeof other &&
    (typeof next === "number" || typeof next === "bigint") &&
    next > (other as typeof next);
  return isAfter ? 1 : -1;
}

/** Returns the oldest message that is not done, of these and of those that they build on. */
export function oldestOpen(messages: Iterable<RootMessage>): RootMessage | undefined {
  const all = new Set(messages);
  let oldest: RootMessage | undefined;
  for (const message of all) { // grows while it is walked
    if (!message.done && (oldest === undefined || message.order < oldest.order)) oldest = message;
    for (const needed of message.needs) if (!needed.cut) all.add(needed);
  }
  return oldest;
}

/**
 * Marks the messages that a cut leaves out: those that are not done, and all that build on one that is left out.
 * Returns the others.
 */
export function cuttable(messages: ReadonlySet<RootMessage>): RootMessage[] {
  const dependents = new Map<RootMessage, RootMessage[]>();
  const left: RootMessage[] = [];
  for (const message of messages) {
    message.left = !message.done;
    if (message.left) left.push(message);
    for (const needed of message.needs) {
      if (needed.cut) message.needs.delete(needed);
      else dependents.getOrInsertComputed(needed, () => []).push(message);
    }
  }
  for (const message of left) { // grows while it is walked
    for (const dependent of dependents.get(message) ?? []) {
      if (dependent.left) continue;
      dependent.left = true;
      left.push(dependent);
    }
  }
  return [...messages].filter((message) => !message.left);
}
