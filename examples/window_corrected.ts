/**
 * Hourly totals that follow corrections: a morning of real earthquakes (USGS, 4 February 2018), each joined with the
 * temperature of its hour in Seattle (climate normals). The feed of temperatures dies after 8 o'clock and catches up at
 * 12: the checkpoint has the earthquakes since then handled again, and each hour that was wrong gets a new revision.
 *
 * ```sh
 * deno run examples/window_corrected.ts
 * ```
 *
 * ```text
 * 07:00 revision 1: 15 earthquakes at 4.0 °C
 * 08:00 revision 1: 16 earthquakes at 4.1 °C
 * the feed has caught up
 * 09:00 revision 1: 15 earthquakes at 4.1 °C
 * 09:00 revision 2: 15 earthquakes at 4.6 °C
 * 10:00 revision 1: 11 earthquakes at 5.4 °C
 * 11:00 revision 1: 12 earthquakes at 6.3 °C
 * 12:00 revision 1: 5 earthquakes at 7.2 °C
 * ```
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { App, Checkpoint, Dependency, JsonCodec, map, MemoryCache } from "@slipstream/slipstream";
import { Topic } from "@slipstream/slipstream/kafka";
import { MemoryBroker } from "@slipstream/slipstream/memory";
import { count, mean, tumbling } from "@slipstream/slipstream/windows";
import { delay } from "@std/async/delay";
import earthquakes from "vega-datasets/data/earthquakes.json" with { type: "json" };
import normals from "vega-datasets/data/seattle-weather-hourly-normals.csv" with { type: "text" };

interface Quake {
  time: number;
}
interface Report {
  time: number;
  temperature: number;
}

const HOUR = 3_600_000;
const day = Date.parse("2018-02-04T00:00Z");
const [begin, end] = [day + 7 * HOUR, day + 14 * HOUR];

const quakes: Quake[] = earthquakes.features
  .map(({ properties: { time } }) => ({ time }))
  .filter(({ time }) => time >= begin && time < end)
  .sort((a, b) => a.time - b.time);

const reports: Report[] = normals.split("\n").slice(1)
  .map((line) => line.split(","))
  .map(([date, , temperature]) => ({
    time: Date.parse(`${date?.replace("2010", "2018")}Z`),
    temperature: Number(temperature),
  }))
  .filter(({ time }) => time >= begin && time <= end);

/** When a report comes in: those of 9, 10 and 11 o'clock come at 12. */
function arrival({ time }: Report): number {
  const hour = (time - day) / HOUR;
  return hour >= 9 && hour < 12 ? day + 12 * HOUR : time;
}

/** The morning as it happens. */
const arrivals = [
  ...reports.map((report) => ({ at: arrival(report), report, quake: undefined })),
  ...quakes.map((quake) => ({ at: quake.time, quake, report: undefined })),
].sort((a, b) => a.at - b.at);

await using broker = new MemoryBroker();
const options = { broker, groupId: "demo", offset: "earliest" } as const;
await using quakeTopic = new Topic("quakes", { ...options, codec: new JsonCodec<Quake>() });
await using reportTopic = new Topic("reports", { ...options, codec: new JsonCodec<Report>() });
for (const topic of [quakeTopic, reportTopic]) await topic.ensure();

/** State, temperatures and checkpoint, all of one instant. */
await using state = new MemoryCache<unknown>({ maxBytes: Infinity });
const temperatures = state.space<number>("temperatures", { maxBytes: Infinity });

const feed = new Dependency("temperatures", reportTopic, { downtimeThreshold: 2 * HOUR });
const checkpoint = new Checkpoint("quakes", {
  dependent: quakeTopic,
  dependencies: [feed],
  correct: true,
  cache: state,
  onStatus: (event) => {
    if (event.type !== "correcting") return;
    console.log("the feed has caught up");
    next = event.from[0]!;
  },
});

/** What a table would have: the last revision of each hour. */
const table = new Map<string, string>();
const clock = (time: number) => new Date(time).toISOString().slice(11, 16);
/** The earthquake that will be handled next. */
let next = 0;

const app = new App({ commit: { interval: 500 } });
app.handle(reportTopic, async ({ value }) => {
  await temperatures.set(value.time, value.temperature);
  await checkpoint.heartbeat(new Date(value.time));
}, { name: "temperatures", state });

app.handle(
  quakeTopic,
  // What is enriched stands before the window, so that it is done again.
  map(async ({ offset, value: { time } }) => {
    await checkpoint.checkPulse(new Date(time));
    const before = temperatures.values({ from: time, reverse: true, limit: 1 });
    const [temperature] = await Array.fromAsync(before);
    next = offset + 1;
    return { time, temperature: temperature! };
  }),
  tumbling({
    size: { hours: 1 },
    by: () => "Seattle",
    scope: "partition",
    idle: "hold",
    time: ({ time }) => time,
    into: { n: count(), mean: mean(({ temperature }) => temperature) },
  }),
  ({ id, start, revision, value }) => {
    const text = `${value.n} earthquakes at ${value.mean.toFixed(1)} °C`;
    console.log(`${clock(start)} revision ${revision}: ${text}`);
    table.set(id, text);
  },
  { name: "hours", state },
);

const stop = new AbortController();
const streaming = app.stream({ signal: stop.signal });
let sent = 0;
const given = () => app.snapshot().windows[0]!.waiting === 0; // results leave with a commit
const quiet = () => next === sent && Object.keys(checkpoint.staleState).length === 0 && given();
for (const { report, quake } of arrivals) {
  if (report !== undefined) {
    await reportTopic.send({ value: report });
    await until(() => Number(feed.frontier) === report.time);
  } else {
    await quakeTopic.send({ value: quake });
    sent++;
  }
  await until(() => feed.isDown && given() || quiet());
}
await until(quiet);
await delay(1_500); // the last hours are committed, and given
stop.abort();
await streaming;

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(0);
}
