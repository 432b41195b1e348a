import { type Clock, delay } from "../../clock.ts";
import type { Assignment, GroupHandlers, Positions } from "./broker.ts";
import type { KafkaError } from "./errors.ts";

/** Milliseconds between two attempts to learn the positions of an assignment. */
const PAUSE_MS = 500;

/**
 * Asks where an assignment starts, again while the answer is an error that passes. Undefined when
 * `signal` has told meanwhile that the assignment has ended.
 */
export async function startOf(
  assignment: Assignment,
  handlers: GroupHandlers,
  clock: Clock,
  signal: AbortSignal,
): Promise<Positions | undefined> {
  while (!signal.aborted) {
    try {
      const positions = await handlers.assigned(assignment);
      if (!signal.aborted) return positions;
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!(error as KafkaError).retriable) throw error;
      await delay(clock, PAUSE_MS, signal).catch(() => {});
    }
  }
  return undefined;
}
