/**
 * Decompression shares its thread with everything else: after so much of it, in however many batches, whoever
 * decompresses lets the others have a turn. Counted in bytes, since a step has no clock to ask: this many take
 * two to four milliseconds.
 */
import { systemClock } from "../../../clock.ts";

const YIELD_BYTES = 1 << 20;

let spent = 0;

/** Tells that so many bytes were worked on. */
export function spend(bytes: number): void {
  spent += bytes;
}

/** Returns whether others should have their turn. */
export function mustYield(): boolean {
  return spent >= YIELD_BYTES;
}

/** Resolves when others had their turn. */
export function yielded(): Promise<void> {
  spent = 0;
  return new Promise((resolve) => systemClock.macrotask(resolve));
}

/** Takes steps until one of them gives a result, and yields between them; the steps tell what they spend. */
export function inSteps<T>(step: () => T | undefined): T | Promise<T> {
  for (;;) {
    const result = step();
    if (result !== undefined) return result;
    if (mustYield()) return yielded().then(() => inSteps(step));
  }
}
