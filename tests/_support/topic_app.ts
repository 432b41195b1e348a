/** What tests of topics in an app share. */
import type { Topic } from "../../src/kafka/topic/topic.ts";

/** No commit but those that a test asks for, and the last one. */
export const RARELY = { interval: 3_600_000 };

/** Returns the end of a test's stream: `stop()` ends it in good order. */
export function untilStopped(): { signal: AbortSignal; stop: () => void } {
  const stopping = new AbortController();
  return { signal: stopping.signal, stop: () => stopping.abort() };
}

/** Asks what the group has committed, by partition. */
export async function committedOf(topic: Pick<Topic, "offsets">): Promise<(number | undefined)[]> {
  return [...(await topic.offsets()).values()].map(({ committed }) => committed);
}
