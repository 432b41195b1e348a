/**
 * Clicks by page and minute, by the time in them: they come out of order, and one comes too late.
 *
 * ```sh
 * deno run examples/window_tumbling.ts
 * ```
 *
 * ```text
 * 12:00 /home {"clicks":2,"seconds":40}
 * late by 66 s: /home
 * 12:01 /shop {"clicks":2,"seconds":100}
 * 12:01 /home {"clicks":1,"seconds":5}
 * 12:02 /shop {"clicks":1,"seconds":7}
 * ```
 *
 * @module
 */
import { handle, stream } from "@slipstream/slipstream";
import { count, sum, tumbling } from "@slipstream/slipstream/windows";

const at = (time: string) => Date.parse(`2026-01-01T${time}Z`);
const clock = (time: number) => new Date(time).toISOString().slice(11, 16);

const clicks = [
  { page: "/home", timestamp: at("12:00:10"), seconds: 10 },
  { page: "/shop", timestamp: at("12:01:02"), seconds: 60 },
  { page: "/home", timestamp: at("12:00:58"), seconds: 30 }, // a bit late: outOfOrderness waits for it
  { page: "/home", timestamp: at("12:01:30"), seconds: 5 },
  { page: "/home", timestamp: at("12:00:14"), seconds: 99 }, // too late: 12:00 has closed
  { page: "/shop", timestamp: at("12:01:45"), seconds: 40 },
  { page: "/shop", timestamp: at("12:02:20"), seconds: 7 },
];

handle(
  clicks,
  tumbling({
    size: { minutes: 1 },
    by: ({ page }) => page,
    outOfOrderness: { seconds: 10 },
    into: { clicks: count(), seconds: sum(({ seconds }) => seconds) },
    late: ({ message, latenessMs }) =>
      console.log(`late by ${latenessMs / 1000} s: ${message.page}`),
  }),
  ({ key, start, value }) => `${clock(start)} ${key} ${JSON.stringify(value)}`,
  { sink: console.log },
);

await stream();
