/** A real week of earthquakes (USGS), counted by region, beside a computation that knows nothing of windows. */
import { assert, assertEquals } from "@std/assert";
import data from "vega-datasets/data/earthquakes.json" with { type: "json" };
import { App, MemoryCache, replayable } from "../../mod.ts";
import type { ExactPipe } from "../../src/flow/stage/exact_pipes.ts";
import { Random } from "../../src/testing/mod.ts";
import { count, max, session, tumbling, type WindowResult } from "../../src/windows/mod.ts";

interface Quake {
  readonly time: number;
  readonly magnitude: number;
  readonly region: string;
  readonly next: number;
}
interface Value {
  readonly n: number;
  readonly strongest: number;
}

const HOUR = 3_600_000;
const DISORDER = 20 * 60_000;
const ZONE = "America/Los_Angeles";

const random = new Random(1);
/** In an order in which no message is more than `DISORDER` behind another. */
const quakes: readonly Quake[] = data.features
  .map(({ properties: { time, mag, place } }) => {
    const region = place.split(", ").at(-1)!;
    return { time, magnitude: mag, region, order: time + random.integer(DISORDER) };
  })
  .sort((a, b) => a.order - b.order)
  .map(({ time, magnitude, region }, index) => ({ time, magnitude, region, next: index + 1 }));

const common = {
  by: ({ region }: Quake) => region,
  time: ({ time }: Quake) => time,
  outOfOrderness: DISORDER,
  into: { n: count(), strongest: max(({ magnitude }: Quake) => magnitude) },
};

/** Streams the week in two halves, with a restart between them, and returns the last revision of each window. */
async function windowed(
  window: ExactPipe<Quake, WindowResult<string, Value>>,
): Promise<Map<string, string>> {
  await using state = new MemoryCache({ maxBytes: Infinity });
  const found = new Map<string, { text: string; key: string; n: number; strongest: number }>();
  for (const end of [quakes.length / 2, quakes.length]) {
    const source = replayable({
      name: "quakes",
      read: async function* (from: number = 0) {
        yield* quakes.slice(from, end);
      },
      position: ({ next }) => next,
    });
    const app = new App();
    app.handle(source, window, ({ id, key, start, value, replaces }) => {
      for (const replaced of replaces) found.delete(replaced);
      found.set(id, { text: `${key} ${start}`, key, ...value });
    }, { name: "windows", state });
    await app.stream();
  }
  return new Map([...found.values()].map(({ text, n, strongest }) => [text, `${n} ${strongest}`]));
}

/** Groups by a name of the piece of time that a quake belongs to. */
function grouped(startOf: (quake: Quake) => number): Map<string, string> {
  const groups = new Map<string, Quake[]>();
  for (const quake of quakes) {
    groups.getOrInsertComputed(`${quake.region} ${startOf(quake)}`, () => []).push(quake);
  }
  return summed(groups);
}

function summed(groups: ReadonlyMap<string, readonly Quake[]>): Map<string, string> {
  return new Map(
    [...groups].map(([name, all]) => [
      name,
      `${all.length} ${Math.max(...all.map(({ magnitude }) => magnitude))}`,
    ]),
  );
}

Deno.test("earthquakes by region and hour", async () => {
  const found = await windowed(tumbling({ size: { hours: 1 }, ...common }));
  assertEquals(found, grouped(({ time }) => time - time % HOUR));
  assert(found.size > 500);
});

Deno.test("earthquakes by region and local day", async () => {
  const found = await windowed(tumbling({ size: { unit: "day", timeZone: ZONE }, ...common }));
  const local = new Intl.DateTimeFormat("en-CA", { timeZone: ZONE, dateStyle: "short" });
  const offset = 8 * HOUR; // all of the week is in winter
  assertEquals(
    found,
    grouped(({ time }) => Date.parse(`${local.format(time)}T00:00:00Z`) + offset),
  );
  assert(found.size > 100);
});

Deno.test("earthquakes by region and session of quiet", async () => {
  const gap = 6 * HOUR;
  const found = await windowed(session({ gap, ...common }));
  const groups = new Map<string, Quake[]>();
  for (const [region, all] of Map.groupBy(quakes, ({ region }) => region)) {
    let last = -Infinity, current: Quake[] = [];
    for (const quake of all.toSorted((a, b) => a.time - b.time)) {
      if (quake.time - last >= gap) groups.set(`${region} ${quake.time}`, current = []);
      current.push(quake);
      last = quake.time;
    }
  }
  assertEquals(found, summed(groups));
  assert(found.size > 100);
});
