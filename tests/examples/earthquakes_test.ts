import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import data from "vega-datasets/data/earthquakes.json" with { type: "json" };
import { Cache } from "../../mod.ts";
import { runDeno } from "../_support/examples.ts";

const SIX_HOURS = 6 * 60 * 60 * 1000;

/** The same figures, computed without the library and in another way: from the whole week at once. */
const week = data.features.map((feature) => feature.properties).reverse();

function eventsUntil(time: number): number {
  return week.filter((event) => event.time > time - SIX_HOURS && event.time <= time).length;
}

interface Run {
  lines: string[];
  rows: string[][];
  /** What the Cache of the demo has at its end. */
  times: number[];
}

async function runDemo(): Promise<Run> {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "new", "earthquakes.csv");
    const permissions = [`--allow-read=${folder}`, `--allow-write=${folder}`];
    const lines = await runDeno(["run", ...permissions, "examples/earthquakes.ts", path]);
    const text = await Deno.readTextFile(path);
    await using rolling = await Cache.open<number[]>(join(folder, "new", "earthquakes.db"));
    const times = await rolling.get("times", []);
    return { lines, times, rows: text.trimEnd().split("\n").map((line) => line.split(",")) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const { lines, rows, times } = await runDemo();

Deno.test("The week is in the order of time when it is turned around", () => {
  for (const [index, event] of week.entries()) {
    if (index > 0) assertEquals(week[index - 1]!.time <= event.time, true);
  }
});

Deno.test("The demo writes every event of the week to its file, in order", () => {
  assertEquals(
    rows.map(([time, magnitude]) => [time, magnitude]),
    week.map(({ time, mag }) => [new Date(time).toISOString(), String(mag)]),
  );
});

Deno.test("The demo counts the last six hours of every event", () => {
  // Events of the same millisecond are counted one by one: compare the last of each.
  const last = new Map(rows.map(([time, _magnitude, _class, count]) => [time, Number(count)]));
  for (const { time } of week) {
    assertEquals(last.get(new Date(time).toISOString()), eventsUntil(time));
  }
});

Deno.test("The demo leaves the times of the last six hours in its Cache", () => {
  const end = week.at(-1)!.time;
  assertEquals(times, week.map(({ time }) => time).filter((time) => time > end - SIX_HOURS));
});

Deno.test("The demo ends with the count of each class", () => {
  const bounds = [-Infinity, 2, 4, 5, 6, 7, Infinity];
  const expected = ["micro", "minor", "light", "moderate", "strong", "major"].map((name, index) => [
    name,
    week.filter(({ mag }) => mag >= bounds[index]! && mag < bounds[index + 1]!).length,
  ]);
  const table = lines.slice(-10, -4); // before an empty line and the last three
  const counts = table.map((line) => [
    line.split(" ")[0],
    Number(/(\d+)(?: █+)?$/.exec(line)?.[1]),
  ]);
  assertEquals(counts, expected);
});

Deno.test("The demo shows each event that was the strongest so far", () => {
  const records = week.filter(({ mag }, index) =>
    week.slice(0, index).every((earlier) => earlier.mag < mag)
  );
  const shown = lines.map((line) => / {2}M (\S+) {2}(.+)$/.exec(line)).filter((found) => found);
  assertEquals(
    shown.map((found) => [found![1], found![2]]),
    records.map(({ mag, place }) => [mag.toFixed(1), place]),
  );
});

Deno.test("The demo shows a bar with the count of every six hours", () => {
  const bars = lines.filter((line) => line.includes(":00  █")).map((line) =>
    line.split(" ").at(-1)
  );
  const expected: string[] = [];
  const first = Math.ceil(week[0]!.time / SIX_HOURS) * SIX_HOURS;
  for (let border = first; border <= week.at(-1)!.time; border += SIX_HOURS) {
    expected.push(String(eventsUntil(border)));
  }
  assertEquals(bars, expected);
});

Deno.test("The demo ends with the strongest event and the busiest six hours", () => {
  const strongest = Math.max(...week.map(({ mag }) => mag));
  const busiest = Math.max(...week.map(({ time }) => eventsUntil(time)));
  const end = lines.slice(-3).join("\n");
  assertStringIncludes(end, `${week.length} events, the strongest M ${strongest}, `);
  assertStringIncludes(end, `${busiest} in the busiest six hours, until `);
});
