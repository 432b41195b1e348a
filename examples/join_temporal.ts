/**
 * A temporal join: each activity meets the weather that was last reported before it. The weather is kept
 * by its time, and the nearest entry at or before a time is one step in a Cache.
 *
 * ```sh
 * deno run --allow-read --allow-write examples/join_temporal.ts
 * ```
 *
 * ```text
 * The weather during swimming was 🌞
 * The weather during walking home was ⛅
 * The weather during shopping was 🌦️
 * The weather during lunch was 🌧
 * ```
 *
 * @module
 */
import { Cache, handle, stream } from "@slipstream/slipstream";
import { delay } from "@std/async/delay";

interface Report {
  time: string;
  value: string;
}

const weatherReports: Report[] = [
  { time: "2023-01-01T10:00Z", value: "🌞" },
  { time: "2023-01-01T11:00Z", value: "⛅" },
  { time: "2023-01-01T12:00Z", value: "🌦️" },
  { time: "2023-01-01T13:00Z", value: "🌧" },
];
const activityReports: Report[] = [
  { time: "2023-01-01T10:30Z", value: "swimming" },
  { time: "2023-01-01T11:30Z", value: "walking home" },
  { time: "2023-01-01T12:30Z", value: "shopping" },
  { time: "2023-01-01T13:10Z", value: "lunch" },
];

/** Reports come in as time goes on: the weather of an hour is known before what is done in it. */
async function* arriving(reports: Report[], everyMs: number): AsyncGenerator<Report, void> {
  for (const report of reports) {
    await delay(everyMs);
    yield report;
  }
}

await using weather = await Cache.open<Report>("state/weather");
await weather.clear();

handle(arriving(weatherReports, 10), (report) => [Date.parse(report.time), report] as const, {
  sink: weather,
});

handle(arriving(activityReports, 30), async (activity) => {
  const from = Date.parse(activity.time);
  const [found] = await Array.fromAsync(weather.values({ from, reverse: true, limit: 1 }));
  return `The weather during ${activity.value} was ${found?.value ?? "unknown"}`;
}, { sink: console.log });

await stream();
