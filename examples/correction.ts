/**
 * Correction: a day of real earthquakes (USGS, 4 February 2018), each joined with the temperature of its
 * hour in Seattle (climate normals). The feed of temperatures dies after 8 o'clock and catches up at 12.
 *
 * The day runs three times: as the reference does it, whose recovery callback goes back to the last state;
 * with `correct`, which goes back to the first result that was made from a stale temperature; and in mode
 * `"wait"`, which holds each earthquake until its temperature is known. The truth is computed afterwards.
 *
 * ```sh
 * deno run examples/correction.ts
 * ```
 *
 * ```text
 * 301 earthquakes joined with the temperature of their hour
 *
 *                        stale results   handled again   wrong in the end
 * as the reference does             16               1                 15
 * with correct                      16              16                  0
 * in mode "wait"                     0               0                  0
 * ```
 *
 * @module
 */
// deno-lint-ignore-file no-console
import {
  App,
  Checkpoint,
  type CheckpointOptions,
  Dependency,
  JsonCodec,
  MemoryCache,
} from "@slipstream/slipstream";
import { type Message, Topic } from "@slipstream/slipstream/kafka";
import { MemoryBroker } from "@slipstream/slipstream/memory";
import { delay } from "@std/async/delay";
import earthquakes from "vega-datasets/data/earthquakes.json" with { type: "json" };
import normals from "vega-datasets/data/seattle-weather-hourly-normals.csv" with { type: "text" };

interface Quake {
  time: number;
  place: string;
}

interface Report {
  time: number;
  temperature: number;
}

const HOUR = 3_600_000;
const day = Date.parse("2018-02-04T00:00Z");

const quakes: Quake[] = earthquakes.features
  .map(({ properties: { time, place } }) => ({ time, place }))
  .filter(({ time }) => time >= day && time < day + 24 * HOUR)
  .sort((a, b) => a.time - b.time);

const reports: Report[] = normals.split("\n").slice(1)
  .map((line) => line.split(","))
  .map(([date, , temperature]) => ({
    time: Date.parse(`${date?.replace("2010", "2018")}Z`),
    temperature: Number(temperature),
  }))
  .filter(({ time }) => time >= day && time <= day + 24 * HOUR);

/** When a report comes in: those of 9, 10 and 11 o'clock come at 12. */
function arrival({ time }: Report): number {
  const hour = (time - day) / HOUR;
  return hour >= 9 && hour < 12 ? day + 12 * HOUR : time;
}

/** The temperature of an earthquake's hour, from all reports. */
function truth({ time }: Quake): number | undefined {
  return reports.findLast((report) => report.time <= time)?.temperature;
}

/** The day as it happens: reports and earthquakes, as they come in. */
const arrivals = [
  ...reports.map((report) => ({ at: arrival(report), report, quake: undefined })),
  ...quakes.map((quake) => ({ at: quake.time, quake, report: undefined })),
].sort((a, b) => a.at - b.at);

type QuakeMessage = Message<string, Quake>;

/** Runs the day, and counts. */
async function run(options: Partial<CheckpointOptions<QuakeMessage>>) {
  await using broker = new MemoryBroker();
  await using temperatures = new MemoryCache<number>();
  await using quakeTopic = new Topic("quakes", {
    broker,
    groupId: "quakes",
    offset: "earliest",
    codec: new JsonCodec<Quake>(),
  });
  await using reportTopic = new Topic("reports", {
    broker,
    groupId: "reports",
    offset: "earliest",
    codec: new JsonCodec<Report>(),
  });
  for (const topic of [quakeTopic, reportTopic]) await topic.ensure();

  const results: (number | undefined)[] = [];
  let handled = 0;
  let stale = 0;
  let next = 0; // the earthquake that will be handled next
  const feed = new Dependency("temperatures", reportTopic, { downtimeThreshold: { hours: 2 } });
  const checkpoint = new Checkpoint("quakes", {
    dependent: quakeTopic,
    dependencies: [feed],
    onStatus: (event) => {
      if (event.type === "correcting") next = event.from[0]!;
    },
    ...options,
    recoveryCallback: options.correct ? undefined : async (_, { checkpointState }) => {
      next = checkpointState!.next as number;
      await quakeTopic.seek({ 0: next });
    },
  });

  const app = new App();
  app.handle(reportTopic, async ({ value }) => {
    await checkpoint.heartbeat(new Date(value.time));
    return [value.time, value.temperature] as const;
  }, { sink: temperatures });

  app.handle(quakeTopic, async ({ offset, value }) => {
    await checkpoint.checkPulse(new Date(value.time), { next: offset });
    const before = temperatures.values({ from: value.time, reverse: true, limit: 1 });
    const [temperature] = await Array.fromAsync(before);
    return [offset, temperature] as const;
  }, {
    // The position of the earthquake is the key: a corrected result replaces the one before.
    sink: ([offset, temperature]) => {
      results[offset] = temperature;
      handled++;
      if (temperature !== truth(quakes[offset]!)) stale++;
      next = offset + 1;
    },
  });

  const stop = new AbortController();
  const streaming = app.stream({ signal: stop.signal });
  let sent = 0;
  const quiet = () => next === sent && Object.keys(checkpoint.staleState).length === 0;
  for (const { report, quake } of arrivals) {
    if (report !== undefined) {
      await reportTopic.send({ value: report });
      await until(() => Number(feed.frontier) === report.time);
    } else {
      await quakeTopic.send({ value: quake });
      sent++;
    }
    if (options.mode !== "wait") await until(() => feed.isDown || quiet());
  }
  await until(quiet);
  stop.abort();
  await streaming;
  const wrong = quakes.filter((quake, offset) => results[offset] !== truth(quake)).length;
  return { stale, again: handled - quakes.length, wrong };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(0);
}

console.log(`${quakes.length} earthquakes joined with the temperature of their hour`);
console.log("");
console.log("                       stale results   handled again   wrong in the end");
const ways: Record<string, Partial<CheckpointOptions<QuakeMessage>>> = {
  "as the reference does": {},
  "with correct": { correct: true },
  'in mode "wait"': { mode: "wait", time: ({ value }) => new Date(value.time) },
};
for (const [name, options] of Object.entries(ways)) {
  const { stale, again, wrong } = await run(options);
  const columns = [[stale, 15], [again, 16], [wrong, 19]] as const;
  console.log(name.padEnd(21) + columns.map(([n, width]) => String(n).padStart(width)).join(""));
}
