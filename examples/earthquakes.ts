/**
 * The demo: a real week of earthquakes (USGS, 31 January to 7 February 2018), in the order they happened.
 *
 * - One source, and three flows that read it in step: the strongest so far (a generator handler, which
 *   yields only now and then), a bar every six hours, and the class of each event.
 * - A Proxy passes the classified events on to a fourth flow, which counts them and has two sinks: a file,
 *   and the progress line that a terminal shows.
 * - A Cache beside that file keeps what two of the flows share: the times of the last six hours.
 *
 * On a terminal the week takes four seconds. The argument is the file to write.
 *
 * ```sh
 * deno run --allow-read=state --allow-write=state examples/earthquakes.ts state/earthquakes.csv
 * ```
 *
 * ```text
 * A week of earthquakes, Wed 31 Jan 01:49 to Wed 07 Feb 01:26 (UTC)
 *
 * Wed 31 Jan 01:49  M 0.3  37km NNE of Amboy, Washington
 * Wed 31 Jan 02:00  M 1.4  20km NNE of Lima, Montana
 * Wed 31 Jan 02:00  M 5.3  50km NNW of Sangiang, Indonesia
 * Wed 31 Jan 06:00  ██████████████████ 35
 * Wed 31 Jan 07:07  M 6.1  35km S of Jarm, Afghanistan
 * Wed 31 Jan 12:00  ███████████████████████████████ 61
 * …
 * Tue 06 Feb 15:50  M 6.4  22km NNE of Hualian, Taiwan
 * Tue 06 Feb 18:00  ███████████████████████ 46
 * Wed 07 Feb 00:00  █████████████████████ 42
 *
 * micro     below 2     1261 ███████████████████████████████████████████████████
 * minor     2 to 4       318 █████████████
 * light     4 to 5        89 ████
 * moderate  5 to 6        34 ██
 * strong    6 to 7         5 █
 * major     7 and more     0
 *
 * 1707 events, the strongest M 6.4, 22km NNE of Hualian, Taiwan
 * 91 in the busiest six hours, until Sun 04 Feb 19:11
 * every event with its class and the count of its last six hours: state/earthquakes.csv
 * ```
 *
 * @module
 */
import { Cache, closeAtEnd, handle, Proxy, stream } from "@slipstream/slipstream";
import { delay } from "@std/async/delay";
import { dirname, join } from "node:path";
import data from "vega-datasets/data/earthquakes.json" with { type: "json" };

interface Quake {
  time: number;
  magnitude: number;
  place: string;
}

const HOUR = 3_600_000;
const WINDOW = 6 * HOUR;

const [path = "state/earthquakes.csv"] = Deno.args;
const terminal = Deno.stdout.isTerminal();

const quakes: Quake[] = data.features
  .map(({ properties: { time, mag, place } }) => ({ time, magnitude: mag, place }))
  .sort((a, b) => a.time - b.time);
const [first, last] = [quakes.at(0)!, quakes.at(-1)!];

/** The source: the events in order; on a terminal 42 hours pass in a second. */
async function* replay(): AsyncGenerator<Quake, void> {
  let clock = first.time;
  for (const quake of quakes) {
    const waitMs = (quake.time - clock) / (42 * HOUR) * 1_000;
    if (terminal && waitMs >= 10) {
      await delay(waitMs);
      clock = quake.time;
    }
    yield quake;
  }
}

/** The times of the last events, under one key. Each run is a new week, so nothing is left of the one before. */
await using rolling = await Cache.open<number[]>(join(dirname(path), "earthquakes.db"));
await rolling.clear();

const lastSixHours = (times: number[], until: number): number[] =>
  times.filter((time) => time > until - WINDOW);

const classes = {
  micro: "below 2",
  minor: "2 to 4",
  light: "4 to 5",
  moderate: "5 to 6",
  strong: "6 to 7",
  major: "7 and more",
};
type Class = keyof typeof classes;

function classOf(magnitude: number): Class {
  if (magnitude < 2) return "micro";
  if (magnitude < 4) return "minor";
  if (magnitude < 5) return "light";
  if (magnitude < 6) return "moderate";
  return magnitude < 7 ? "strong" : "major";
}

// What the screen shows.

const date = new Intl.DateTimeFormat("en-GB", {
  timeZone: "UTC",
  weekday: "short",
  day: "2-digit",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});
const at = (time: number): string => date.format(time).replaceAll(",", "");
const bar = (length: number): string => "█".repeat(Math.ceil(length));
const clearLine = terminal ? "\r\x1b[K" : "";
const print = (text: string): void => console.log(clearLine + text);

// The flows.

const week = replay();

let strongest: Quake | undefined;
handle(week, function* strongestSoFar(quake) {
  if (strongest !== undefined && quake.magnitude <= strongest.magnitude) return;
  strongest = quake;
  yield `${at(quake.time)}  M ${quake.magnitude.toFixed(1)}  ${quake.place}`;
}, { sink: print });

let border = Math.ceil(first.time / WINDOW) * WINDOW;
handle(week, async function* everySixHours({ time }) {
  for (; border <= time; border += WINDOW) {
    const count = lastSixHours(await rolling.get("times", []), border).length;
    yield `${at(border)}  ${bar(count / 2)} ${count}`;
  }
}, { sink: print });

interface Classified extends Quake {
  class: Class;
  lastSixHours: number;
}

const classified = new Proxy<Classified>();
handle(week, async function classify(quake) {
  const { time, magnitude } = quake;
  const times = await rolling.update(
    "times",
    (before = []) => [...lastSixHours(before, time), time],
  );
  return { ...quake, class: classOf(magnitude), lastSixHours: times.length };
}, { sink: classified });

await Deno.mkdir(dirname(path), { recursive: true });
const file = await Deno.create(path);
const text = new TextEncoderStream();
const written = text.readable.pipeTo(file.writable);

const counts = new Map<Class, number>();
let total = 0;
let busiest: Classified | undefined;
handle(classified, function count(quake) {
  counts.set(quake.class, (counts.get(quake.class) ?? 0) + 1);
  total++;
  if (quake.lastSixHours > (busiest?.lastSixHours ?? 0)) busiest = quake;
  const { time, magnitude, lastSixHours } = quake;
  return `${new Date(time).toISOString()},${magnitude},${quake.class},${lastSixHours}\n`;
}, { sink: [closeAtEnd(text.writable), showProgress] });

let percent = -1;
function showProgress(): void {
  const reached = Math.floor(100 * total / quakes.length);
  if (!terminal || reached === percent) return;
  percent = reached;
  const progress = `${bar(0.4 * percent).padEnd(40, "░")} ${percent} %`;
  Deno.stdout.writeSync(new TextEncoder().encode(clearLine + progress));
}

print(`A week of earthquakes, ${at(first.time)} to ${at(last.time)} (UTC)\n`);
await stream();
await written;

print("");
for (const [name, magnitudes] of Object.entries(classes)) {
  const count = counts.get(name as Class) ?? 0;
  const cells = [name.padEnd(9), magnitudes.padEnd(10), String(count).padStart(5), bar(count / 25)];
  print(cells.join(" ").trimEnd());
}
print("");
print(`${total} events, the strongest M ${strongest?.magnitude}, ${strongest?.place}`);
print(`${busiest?.lastSixHours} in the busiest six hours, until ${at(busiest?.time ?? 0)}`);
print(`every event with its class and the count of its last six hours: ${path}`);
