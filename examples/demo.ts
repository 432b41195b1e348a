/**
 * The demo: what people do on a day, each joined with the weather of its hour, while the weather feed dies
 * for two hours. The checkpoint finds out, pauses the activities, and when the feed has caught up, it goes
 * back to the first activity that got stale weather.
 *
 * On a terminal the day takes ten seconds. Everything runs in this process, the broker too. With `--observe` the story
 * is in the browser as well, at the page that it names: then the day takes half a minute, and the page stays until
 * Ctrl-C. `--observe=8080` chooses the port.
 *
 * ```sh
 * deno run examples/demo.ts
 * ```
 *
 * ```text
 * What people do, joined with the weather of the hour
 *
 * 09:00  weather  🌞
 * 09:20           🌞 breakfast in the garden
 * 09:50           🌞 walking the dog
 * 10:00  weather  🌤️
 *        ✂  the weather feed dies
 * 10:30           🌤️ painting the fence
 * 11:10           🌤️ shopping
 *        ⏸  no weather for 100 minutes: the activities pause
 * 11:40           🌤️ sailing
 * 11:00  weather  🌧
 * 12:00  weather  ⛈️
 *        ▶  the weather has caught up
 *        ↺  back to 11:10, the first with stale weather
 * 11:10           🌧 shopping instead of 🌤️
 * 11:40           🌧 sailing instead of 🌤️
 * 12:10           ⛈️ lunch on the terrace
 * 12:40           ⛈️ flying a kite
 * 13:00  weather  🌧
 * 13:30           🌧 reading
 * 14:00  weather  🌤️
 * 14:20           🌤️ football
 * 15:00  weather  🌞
 *
 *        at first  in the end
 * 09:20  🌞        🌞          breakfast in the garden
 * 09:50  🌞        🌞          walking the dog
 * 10:30  🌤️        🌤️          painting the fence
 * 11:10  🌤️        🌧          shopping
 * 11:40  🌤️        🌧          sailing
 * 12:10  ⛈️        ⛈️          lunch on the terrace
 * 12:40  ⛈️        ⛈️          flying a kite
 * 13:30  🌧        🌧          reading
 * 14:20  🌤️        🌤️          football
 * ```
 *
 * @module
 */
// deno-lint-ignore-file no-console
import {
  App,
  Checkpoint,
  type CheckpointEvent,
  Dependency,
  JsonCodec,
  MemoryCache,
} from "@slipstream/slipstream";
import { Topic } from "@slipstream/slipstream/kafka";
import { MemoryBroker } from "@slipstream/slipstream/memory";
import { observe } from "@slipstream/slipstream/observe";
import { delay } from "@std/async/delay";

interface Report {
  time: string;
  value: string;
}

const weatherReports: Report[] = [
  { time: "09:00", value: "🌞" },
  { time: "10:00", value: "🌤️" },
  { time: "11:00", value: "🌧" },
  { time: "12:00", value: "⛈️" },
  { time: "13:00", value: "🌧" },
  { time: "14:00", value: "🌤️" },
  { time: "15:00", value: "🌞" },
];
const activityReports: Report[] = [
  { time: "09:20", value: "breakfast in the garden" },
  { time: "09:50", value: "walking the dog" },
  { time: "10:30", value: "painting the fence" },
  { time: "11:10", value: "shopping" },
  { time: "11:40", value: "sailing" },
  { time: "12:10", value: "lunch on the terrace" },
  { time: "12:40", value: "flying a kite" },
  { time: "13:30", value: "reading" },
  { time: "14:20", value: "football" },
];

/** The feed dies after its report of 10:00, and comes back at 13:00 with what it has missed. */
const DIES = "10:00";
const RETURNS = "13:00";

const MINUTE = 60_000;
const terminal = Deno.stdout.isTerminal();
/** On a terminal a minute of the day takes this long. */
const observing = Deno.args.map((arg) => /^--observe(?:=(\d+))?$/.exec(arg)).find(Boolean);
const msPerMinute = !terminal ? 0 : observing ? 80 : 27;

const dateOf = (time: string): Date => new Date(`2023-01-01T${time}Z`);
const minutesOf = (time: string): number => dateOf(time).getTime() / MINUTE;
const styles = { plain: "", bad: "color: red", wait: "color: yellow", good: "color: green" };

function say(time: string, text: string, style: keyof typeof styles = "plain"): void {
  console.log(`%c${time.padEnd(7)}${text}`, styles[style]);
}

await using broker = new MemoryBroker();
const options = {
  broker,
  groupId: "demo",
  offset: "earliest",
  codec: new JsonCodec<Report>(),
} as const;
await using weather = new Topic("weather", options);
await using activities = new Topic("activities", options);
for (const topic of [weather, activities]) await topic.ensure();
await using store = new MemoryCache<string>();
await using checkpoints = new MemoryCache();

let next = 0; // the activity that will be handled next
const feed = new Dependency("weather", weather, { downtimeThreshold: { minutes: 90 } });
const checkpoint = new Checkpoint("activities", {
  dependent: activities,
  dependencies: [feed],
  correct: true,
  cache: checkpoints,
  onStatus: tell,
});

function tell(event: CheckpointEvent): void {
  if (event.type === "down") {
    say(
      "",
      `⏸  no weather for ${event.downtimeMs! / MINUTE} minutes: the activities pause`,
      "wait",
    );
  } else if (event.type === "recovered") {
    say("", "▶  the weather has caught up", "good");
  } else if (event.type === "correcting") {
    next = event.from[0]!;
    say("", `↺  back to ${activityReports[next]?.time}, the first with stale weather`, "good");
  }
}

const app = new App();
await using server = observing && observe(app, { port: Number(observing[1] ?? 9464) });
if (server) console.log(`Look at ${server.url}\n`);

app.handle(weather, async ({ value: { time, value } }) => {
  await checkpoint.heartbeat(dateOf(time));
  say(time, `weather  ${value}`);
  return [minutesOf(time), value] as const;
}, { name: "keep weather", sink: store });

interface Joined {
  readonly offset: number;
  readonly weather: string;
  readonly corrected: boolean;
}

const results: { first: string; last: string }[] = [];
app.handle(activities, async ({ offset, value: { time } }, { correction }) => {
  await checkpoint.checkPulse(dateOf(time));
  const before = store.values({ from: minutesOf(time), reverse: true, limit: 1 });
  const [weather = "?"] = await Array.fromAsync(before);
  return { offset, weather, corrected: correction !== undefined };
}, {
  name: "join",
  // The position of the activity is the key: a corrected result replaces the one before.
  sink: ({ offset, weather, corrected }: Joined) => {
    const { time, value } = activityReports[offset]!;
    const before = results[offset];
    results[offset] = { first: before?.first ?? weather, last: weather };
    const was = corrected ? ` instead of ${before?.last}` : "";
    say(time, `         ${weather} ${value}${was}`, corrected ? "good" : "plain");
    next = offset + 1;
  },
});

/** The day: what comes in, and when. */
const day = [
  ...weatherReports.map((report) => ({
    at: report.time > DIES && report.time < RETURNS ? RETURNS : report.time,
    topic: weather,
    report,
  })),
  ...activityReports.map((report) => ({ at: report.time, topic: activities, report })),
].sort((a, b) => a.at.localeCompare(b.at));

console.log("What people do, joined with the weather of the hour\n");
const stop = new AbortController();
const streaming = app.stream({ signal: stop.signal });
let now = day[0]!.at;
let sent = 0;
for (const { at, topic, report } of day) {
  await delay((minutesOf(at) - minutesOf(now)) * msPerMinute);
  now = at;
  if (topic === activities) sent++;
  await topic.send({ value: report });
  await until(() => topic === weather ? isStored(report) : isAnswered());
  if (topic === weather) await until(isAnswered);
  if (report.time === DIES) say("", "✂  the weather feed dies", "bad");
}
stop.abort();
await streaming;

console.log("\n       at first  in the end");
activityReports.forEach(({ time, value }, offset) => {
  const { first, last } = results[offset]!;
  say(time, `${first}        ${last}          ${value}`, first === last ? "plain" : "good");
});

if (server) {
  console.log("\nThe page stays until Ctrl-C.");
  const stay = setInterval(() => {}, 1_000);
  await new Promise<void>((resolve) => Deno.addSignalListener("SIGINT", resolve));
  clearInterval(stay);
}

/** The report is in the store, and the checkpoint knows. */
function isStored({ time }: Report): boolean {
  return Number(feed.frontier) === dateOf(time).getTime();
}

/** All activities have their result, or wait for the weather. */
function isAnswered(): boolean {
  return feed.isDown || (next === sent && Object.keys(checkpoint.staleState).length === 0);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(0);
}
