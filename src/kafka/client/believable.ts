import { type Clock, delay } from "../../clock.ts";

/** How often is asked, and how far apart. */
const TIMES = 6;
const PAUSE_MS = 500;

/**
 * Asks where partitions begin and end, and again while that contradicts what was read of them: a leader that was cut off
 * answers like that until it knows that there is another. What is said for some seconds is believed.
 */
export async function believable<T>(
  ask: () => Promise<T>,
  contradicts: (answer: T) => boolean,
  clock: Clock,
  signal?: AbortSignal,
): Promise<T> {
  for (let asked = 1;; asked++) {
    const answer = await ask();
    if (asked === TIMES || !contradicts(answer)) return answer;
    await delay(clock, PAUSE_MS, signal);
  }
}
