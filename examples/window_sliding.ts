/**
 * A window that slides with each event: how often each emoji was seen in the three seconds up to it. The same as
 * aggregation_sliding.ts, which keeps the events by hand.
 *
 * ```sh
 * deno run examples/window_sliding.ts
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
import { handle, stream } from "@slipstream/slipstream";
import { collect, sliding } from "@slipstream/slipstream/windows";

const messages: [emoji: string, seconds: number][] = [
  ["🏆", 0.0],
  ["📞", 0.5],
  ["🐟", 1.0],
  ["👌", 2.0],
  ["🏆", 3.5],
  ["📞", 4.0],
  ["🐟", 5.0],
  ["👌", 5.5],
];

handle(
  messages,
  sliding({
    size: { seconds: 3, milliseconds: 1 }, // what is three seconds before an event is in its window
    by: () => "all",
    time: ([, seconds]) => seconds * 1000,
    into: collect({ max: 1000, of: ([emoji]) => emoji }),
  }),
  ({ end, value }) => {
    const counts = new Map<string, number>();
    for (const emoji of value) counts.set(emoji, (counts.get(emoji) ?? 0) + 1);
    const words = Array.from(counts, ([emoji, count]) => `'${emoji}': ${count}`);
    return `Sliding window ending at ${(end / 1000).toFixed(1)}: {${words.join(", ")}}`;
  },
  { sink: console.log },
);

await stream();
