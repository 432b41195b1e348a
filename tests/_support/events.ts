import { JsonCodec } from "../../mod.ts";
import { Topic } from "../../src/kafka/mod.ts";
import type { MemoryBroker } from "../../src/kafka/memory/mod.ts";

/** What the topics of checkpoint tests carry. */
export interface Event {
  readonly time: number;
  readonly value?: string;
}

/** A topic of events, read in a group of its own. */
export function eventTopic(broker: MemoryBroker, name: string): Topic<string, Event> {
  const codec = new JsonCodec<Event>();
  return new Topic<string, Event>(name, { broker, groupId: name, offset: "earliest", codec });
}

/** Waits until `condition` holds; fails when it does not within ten seconds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !await condition(); tries++) {
    if (tries > 10_000) throw new Error(`Never: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
