// A typed stand-in for jsr:@std/async/delay (see CONTRIBUTING.md).
import { delay as stdDelay } from "npm:deno-std@1.4.0/async/delay.js";

/** Options for {@linkcode delay}. */
export interface DelayOptions {
  /** Rejects the delay with its reason. */
  signal?: AbortSignal;
  /** Whether the timer keeps the process alive. */
  persistent?: boolean;
}
/** Resolves after `ms` milliseconds. */
export const delay: (ms: number, options?: DelayOptions) => Promise<void> = stdDelay;
