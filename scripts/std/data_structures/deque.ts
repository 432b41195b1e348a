// A typed stand-in for jsr:@std/data-structures/deque (see CONTRIBUTING.md).
import { Deque as StdDeque } from "npm:deno-std@1.4.0/data_structures/deque.js";

/** A double-ended queue. */
export interface Deque<T> extends Iterable<T> {
  /** The number of elements. */
  readonly length: number;
  /** Adds elements at the back. */
  pushBack(value: T, ...rest: T[]): number;
  /** Removes and returns the first element. */
  popFront(): T | undefined;
  /** Returns the first element. */
  peekFront(): T | undefined;
  /** Removes the first element that fits. */
  removeFirst(predicate: (value: T, index: number) => boolean): T | undefined;
  /** Removes all elements. */
  clear(): void;
}
/** Makes a double-ended queue. */
export const Deque: new <T>() => Deque<T> = StdDeque;
