/**
 * A window that slides with each event: how often each emoji was seen in the three seconds up to it.
 *
 * ```sh
 * deno run --allow-read --allow-write examples/aggregation_sliding.ts
 * ```
 *
 * ```text
 * Sliding window ending at 0.0: {'🏆': 1}
 * Sliding window ending at 0.5: {'🏆': 1, '📞': 1}
 * Sliding window ending at 1.0: {'🏆': 1, '📞': 1, '🐟': 1}
 * Sliding window ending at 2.0: {'🏆': 1, '📞': 1, '🐟': 1, '👌': 1}
 * Sliding window ending at 3.5: {'📞': 1, '🐟': 1, '👌': 1, '🏆': 1}
 * Sliding window ending at 4.0: {'🐟': 1, '👌': 1, '🏆': 1, '📞': 1}
 * Sliding window ending at 5.0: {'👌': 1, '🏆': 1, '📞': 1, '🐟': 1}
 * Sliding window ending at 5.5: {'🏆': 1, '📞': 1, '🐟': 1, '👌': 1}
 * ```
 *
 * @module
 */
import { Cache, handle, stream } from "@slipstream/slipstream";

type Event = [emoji: string, seconds: number];

const WINDOW_SECONDS = 3;
const messages: Event[] = [
  ["🏆", 0.0],
  ["📞", 0.5],
  ["🐟", 1.0],
  ["👌", 2.0],
  ["🏆", 3.5],
  ["📞", 4.0],
  ["🐟", 5.0],
  ["👌", 5.5],
];

await using cache = await Cache.open<Event[]>("state/sliding");
// Event time starts at 0 in each run of this example.
await cache.clear();

handle(messages, async (event) => {
  const [, end] = event;
  const events = await cache.update(
    "events",
    (before = []) => [...before, event].filter(([, time]) => end - time <= WINDOW_SECONDS),
  );
  const counts = new Map<string, number>();
  for (const [emoji] of events) counts.set(emoji, (counts.get(emoji) ?? 0) + 1);
  const words = Array.from(counts, ([emoji, count]) => `'${emoji}': ${count}`);
  return `Sliding window ending at ${end.toFixed(1)}: {${words.join(", ")}}`;
}, { sink: console.log });

await stream();
