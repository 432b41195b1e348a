/**
 * The load of a machine over the last minute, every twenty seconds: windows that overlap.
 *
 * ```sh
 * deno run examples/window_hopping.ts
 * ```
 *
 * ```text
 * 11:59:20 to 12:00:20  mean 40  max 50
 * 11:59:40 to 12:00:40  mean 60  max 90
 * 12:00:00 to 12:01:00  mean 55  max 90
 * 12:00:20 to 12:01:20  mean 60  max 90
 * 12:00:40 to 12:01:40  mean 40  max 45
 * 12:01:00 to 12:02:00  mean 45  max 45
 * ```
 *
 * @module
 */
import { handle, stream } from "@slipstream/slipstream";
import { hopping, max, mean } from "@slipstream/slipstream/windows";

const at = (time: string) => Date.parse(`2026-01-01T${time}Z`);
const clock = (time: number) => new Date(time).toISOString().slice(11, 19);

const loads = [
  { machine: "a", timestamp: at("12:00:00"), percent: 30 },
  { machine: "a", timestamp: at("12:00:10"), percent: 50 },
  { machine: "a", timestamp: at("12:00:25"), percent: 70 },
  { machine: "a", timestamp: at("12:00:30"), percent: 90 },
  { machine: "a", timestamp: at("12:00:50"), percent: 35 },
  { machine: "a", timestamp: at("12:01:00"), percent: 45 },
];

handle(
  loads,
  hopping({
    size: { minutes: 1 },
    every: { seconds: 20 },
    by: ({ machine }) => machine,
    into: { mean: mean(({ percent }) => percent), max: max(({ percent }) => percent) },
  }),
  ({ start, end, value }) =>
    `${clock(start)} to ${clock(end)}  mean ${Math.round(value.mean)}  max ${value.max}`,
  { sink: console.log },
);

await stream();
