import type { StateRows } from "../flow/state/state.ts";
import { copyIn } from "../cache/values.ts";
import type { How } from "./aggregate.ts";
import type { MapKey } from "./window_key.ts";

/** A message on its way into its windows. */
export interface Entry {
  /** Its partition; see `Partitions`. */
  readonly partition: number;
  /** Whose windows it belongs to: its partition's, or those of all. */
  readonly scope: number;
  readonly key: unknown;
  readonly mapKey: MapKey;
  readonly time: number;
  /** What the aggregates have read of it. */
  readonly read: unknown;
  /** Its number among the messages of its partition. */
  readonly arrival: number;
  /** The watermark of its partition, before it. */
  readonly watermark: number;
}

/** When a window begins and ends. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A result before it is given. */
export interface Content extends Span {
  readonly scope: number;
  readonly key: unknown;
  readonly place: number | string;
  readonly value: unknown;
  readonly revision: number;
  readonly final: boolean;
  readonly replaces?: readonly number[];
  readonly index?: number;
  /** Every message that it had is in others now, or in none. */
  readonly empty?: boolean;
}

/** What windows of all kinds are made with. */
export interface WindowsHost {
  readonly how: How<unknown, unknown>;
  /** How long a closed window is kept, in event time. */
  readonly accept: number;
  /** True where results are given when a window has changed, not only when it closes. */
  readonly eager: boolean;
  /** True where the flow goes on after errors, so that a message that failed must leave nothing. */
  readonly careful: boolean;
  /** What rows begin with. */
  readonly prefix: string;
  /** The watermark by which windows of a scope close. */
  closing(scope: number): number;
  /** The least watermark by which a message of a scope may be judged again; Infinity where none is. */
  least(scope: number): number;
  /** What a partition is called in an `id`. */
  nameOf(partition: number): string;
  /** Gives a result. */
  give(content: Content): void;
  /** A window has closed. */
  closed(): void;
}

/** The windows of one flow: in memory, with rows for what has changed since the last cut. */
export interface Windows {
  /**
   * Adds a message.
   *
   * @returns The windows that it is too late for; an empty list where it is too late for any.
   * @throws What the user's code throws; then nothing was added.
   */
  add(entry: Entry): readonly Span[] | undefined;
  /** The watermark of a scope has moved. */
  moved(scope: number): void;
  /** When the next window of a scope closes; Infinity when none is open. */
  next(scope: number): number;
  /** True while something closes, or can be forgotten. */
  readonly due: boolean;
  /** Closes and forgets what is due, up to a number of windows. */
  close(most: number): void;
  /** True while windows have changed that give results before they close. */
  readonly changed: boolean;
  /** Gives results of those, up to a number. */
  giveChanged(most: number): void;
  /** The source has ended: gives results of what is open, up to a number; false when nothing was left. */
  giveOpen(most: number): boolean;
  /** How many windows are open. */
  readonly open: number;
  /** Reads what was stored. */
  load(rows: StateRows): void;
  /** Writes what has changed. */
  save(rows: StateRows): void;
}

/** Windows that follow corrections. */
export interface CorrectableWindows extends Windows {
  /**
   * A message was handled again: takes out what was added for it, and adds it by what it is now.
   *
   * @returns What is in a window for it now.
   */
  replace(scope: number, was: Share | undefined, now: Entry | undefined): Share | undefined;
  /** What a message has in its window that was just added. */
  shareOf(entry: Entry): Share;
  /** Fewer messages of a scope may be handled again: windows that were kept for them may be forgotten. */
  released(scope: number): void;
}

/** Where a message is in a window, and what was added for it. */
export interface Share extends Span {
  readonly key: unknown;
  readonly mapKey: MapKey;
  readonly read: unknown;
}

/** What has been added to one window: an accumulator for each partition, in their order. */
export type Parts = [partition: number, accumulator: unknown][];

/** Nothing was given of a window, or it has changed since. */
export const UNTOLD = 0;
/** What a window has was given while it was open. */
export const TOLD_OPEN = 1;
/** What a window has was given as final. */
export const TOLD_FINAL = 2;

/** Gives results of what `rest` has left and was not given, up to a number; false when nothing was left. */
export function giveRest<W>(
  rest: Iterator<W>,
  most: number,
  isGiven: (window: W) => boolean,
  give: (window: W) => void,
): boolean {
  for (;;) {
    const { value: window, done } = rest.next();
    if (done) return false;
    if (isGiven(window)) continue;
    give(window);
    if (--most === 0) return true;
  }
}

/** Adds what was read to a window, or leaves that as it was when it throws. */
export function addToOne(
  target: { parts: Parts },
  { partition, read }: Entry,
  { how, careful }: WindowsHost,
): void {
  const { parts } = target;
  const [part] = parts;
  // Most windows have messages of one partition.
  if (part !== undefined && part[0] === partition && !how.throws) {
    part[1] = how.add(part[1], read);
    return;
  }
  const accumulator = find(parts, partition, how);
  const base = careful && how.throws ? copyIn(accumulator).value : accumulator;
  const added = how.add(base, read);
  if (how.throws && parts.length === 0) how.result(added); // an error now where it is no plain data
  put(parts, partition, added);
}

function find(parts: Parts, partition: number, how: How<unknown, unknown>): unknown {
  for (const [of, accumulator] of parts) if (of === partition) return accumulator;
  return how.init();
}

function put(parts: Parts, partition: number, accumulator: unknown): void {
  for (const part of parts) {
    if (part[0] !== partition) continue;
    part[1] = accumulator;
    return;
  }
  parts.push([partition, accumulator]);
  if (parts.length > 1) parts.sort((a, b) => a[0] - b[0]);
}

/** Takes back what was added for a message. */
export function takeFrom(
  { parts }: { parts: Parts },
  partition: number,
  read: unknown,
  how: How<unknown, unknown>,
): void {
  put(parts, partition, how.remove!(find(parts, partition, how), read));
}

/** Merges the parts of two windows, those of `first` before those of `second`. */
export function mergeParts(first: Parts, second: Parts, how: How<unknown, unknown>): Parts {
  const merged: Parts = first.map(([partition, accumulator]) => [partition, accumulator]);
  for (const [partition, accumulator] of second) {
    const known = merged.find(([of]) => of === partition);
    if (known === undefined) merged.push([partition, accumulator]);
    else known[1] = how.merge!(known[1], accumulator);
  }
  return merged.sort((a, b) => a[0] - b[0]);
}

/** The result of a window: its parts are merged in the order of their partitions. */
export function resultOf(parts: Parts, how: How<unknown, unknown>): unknown {
  let accumulator = parts[0]![1];
  for (let index = 1; index < parts.length; index++) {
    accumulator = how.merge!(accumulator, parts[index]![1]);
  }
  return how.result(accumulator);
}
