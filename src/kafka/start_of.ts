import { type Clock, delay } from "../clock.ts";
import type { Assignment, GroupHandlers, Positions } from "./broker.ts";
import type { KafkaError } from "./errors.ts";

/** Milliseconds between two attempts to learn the positions of an assignment. */
const PAUSE_MS = 500;

/**
 * Asks where an assignment starts, again while the answer is an error that passes. Undefined when the
 * assignment has ended meanwhile.
 */
export async function startOf(
  assignment: Assignment,
  handlers: GroupHandlers,
  clock: Clock,
  isCurrent: () => boolean,
): Promise<Positions | undefined> {
  while (isCurrent()) {
    try {
      const positions = await handlers.assigned(assignment);
      if (isCurrent()) return positions;
    } catch (error) {
      if (!isCurrent()) return undefined;
      if (!(error as KafkaError).retriable) throw error;
      await delay(clock, PAUSE_MS);
    }
  }
  return undefined;
}
