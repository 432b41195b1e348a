/**
 * Synchronization: activities are joined with the weather, and the weather stream dies for a while. The
 * checkpoint pauses the activities, and when the weather is back, it goes back to what was joined with
 * stale weather.
 *
 * On Kafka with `KAFKA_BROKERS=host:port`, else on an embedded broker.
 *
 * ```sh
 * deno run --allow-env --allow-net --allow-sys examples/synchronization.ts
 * ```
 *
 * ```text
 * The weather during swimming was 🌞
 * 	Killing weather stream on purpose
 * The weather during walking home was ⛅
 * 	The stream is automatically paused.
 * 	Downtime detected: 1:30:00, (could cause faulty enrichment)
 * The weather during shopping was ⛅
 * 	Recovering the weather stream
 * 	Downtime resolved, going back to offset {'0': 2} for reprocessing.
 * The weather during shopping was 🌦️
 * The weather during lunch was 🌧
 * ```
 *
 * @module
 */
// deno-lint-ignore-file no-console
import {
  Checkpoint,
  Dependency,
  handle,
  JsonCodec,
  MemoryCache,
  stream,
} from "@slipstream/slipstream";
import { Topic } from "@slipstream/slipstream/kafka";
import { delay } from "@std/async/delay";
import { chooseBroker } from "./broker.ts";

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

/** Every hour of the story takes this long. */
const STEP_MS = 500;

const firstAnswer = Promise.withResolvers<void>();

/**
 * Reports come in one by one, each a step after the one before is done. The first answer starts the clock,
 * since connecting to Kafka takes as long as it takes.
 */
async function* arriving(reports: Report[], afterMs: number): AsyncGenerator<Report, void> {
  await delay(afterMs);
  yield reports[0]!;
  await firstAnswer.promise;
  await delay(afterMs);
  for (const report of reports.slice(1)) {
    await delay(STEP_MS);
    yield report;
  }
}

const weatherStream = arriving(weatherReports, 0);
// Half a step later, so that it is certain what comes first.
const activityStream = arriving(activityReports, STEP_MS / 2);
const run = crypto.randomUUID();
await using activity = new Topic(`activity-${run}`, {
  ...chooseBroker(),
  groupId: run,
  offset: "earliest",
  codec: new JsonCodec<Report>(),
});
await using weather = new MemoryCache<Report>();
await using checkpoints = new MemoryCache();

const checkpoint = new Checkpoint("activity", {
  dependent: activity,
  dependencies: [new Dependency("weather", weatherStream, { downtimeThreshold: { hours: 1 } })],
  downtimeCallback: () => console.log("\tThe stream is automatically paused."),
  async recoveryCallback(_, { checkpointState }) {
    const offsets = checkpointState as Record<number, number>;
    console.log(
      `\tDowntime resolved, going back to offset ${braced(offsets)} for reprocessing.`,
    );
    await activity.seek(offsets);
  },
  cache: checkpoints,
});

handle(weatherStream, async function* (report) {
  const time = new Date(report.time);
  await checkpoint.heartbeat(time);
  yield [time.getTime(), report] as const;

  if (report.value !== "⛅") return;
  console.log("\tKilling weather stream on purpose");
  await delay(5 * STEP_MS);
  console.log("\tRecovering the weather stream");
}, { sink: weather });

handle(activityStream, (report) => [null, report] as const, { sink: activity });

const lunch = new AbortController();

handle(activity, async function* ({ partition, offset, value }) {
  const time = new Date(value.time);
  const downtime = await checkpoint.checkPulse(time, { [partition]: offset });
  if (downtime !== undefined) {
    console.log(`\tDowntime detected: ${clock(downtime)}, (could cause faulty enrichment)`);
  }
  const earlier = weather.values({ from: time.getTime(), reverse: true, limit: 1 });
  for await (const report of earlier) {
    yield `The weather during ${value.value} was ${report.value}`;
  }
  firstAnswer.resolve();
  if (value.value === "lunch") lunch.abort();
}, { sink: console.log });

await stream({ signal: lunch.signal });

/** A duration as hours, minutes and seconds: `1:30:00`. */
function clock(ms: number): string {
  const [hours, ...rest] = [ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60].map(Math.floor);
  return [hours, ...rest.map((part) => String(part).padStart(2, "0"))].join(":");
}

/** Offsets by partition, as `{'0': 2}`. */
function braced(offsets: Record<number, number>): string {
  const pairs = Object.entries(offsets).map(([partition, offset]) => `'${partition}': ${offset}`);
  return `{${pairs.join(", ")}}`;
}
