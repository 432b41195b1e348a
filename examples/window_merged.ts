/**
 * Two sources, one window: readings of a file and of a sensor that goes on. A window closes when all have passed its
 * end; the file holds nothing up once it has ended.
 *
 * ```sh
 * deno run examples/window_merged.ts
 * ```
 *
 * ```text
 * minute 0: file, sensor: 6 on average
 * minute 1: sensor: 9 on average
 * minute 2: sensor: 11 on average
 * ```
 *
 * @module
 */
import { handle, merge, stream } from "@slipstream/slipstream";
import { distinct, mean, tumbling } from "@slipstream/slipstream/windows";

const MINUTE = 60_000;

const file = [
  { from: "file", timestamp: 0, value: 2 },
  { from: "file", timestamp: 30_000, value: 6 },
];

async function* sensor() {
  for (const [minute, value] of [[0, 10], [1, 9], [2, 11]] as const) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    yield { from: "sensor", timestamp: minute * MINUTE, value };
  }
}

handle(
  merge(file, sensor()),
  tumbling({
    size: MINUTE,
    by: () => "all",
    into: { from: distinct({ max: 10, of: ({ from }) => from }), mean: mean(({ value }) => value) },
  }),
  ({ start, value }) =>
    `minute ${start / MINUTE}: ${value.from.join(", ")}: ${value.mean} on average`,
  { sink: console.log },
);

await stream();
