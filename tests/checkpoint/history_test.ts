import { assertEquals } from "@std/assert";
import { CheckpointHistory, type HistoryMoment } from "../../src/checkpoint/history.ts";

function at(now: number, pulse = -Infinity, marker = -Infinity): HistoryMoment {
  return { now, pulse, marker: () => marker };
}

const down = { type: "down", dependency: "rates", downtimeMs: undefined } as const;
const up = { type: "recovered", dependency: "rates" } as const;

Deno.test("CheckpointHistory notes when a dependency went down and came back, and in which event time", () => {
  const history = new CheckpointHistory();
  history.note(down, at(100, 50, 10));
  assertEquals([history.outages, history.downSince("rates")], [1, 100]);
  assertEquals(history.downSince("weather"), undefined);
  history.note(up, at(300, 70, 80));
  assertEquals(history.downSince("rates"), undefined);
  assertEquals(history.lastOutages, [
    { dependency: "rates", downAt: 100, upAt: 300, from: 10, until: 70 },
  ]);
});

Deno.test("CheckpointHistory counts an outage that a run before has left once", () => {
  const history = new CheckpointHistory();
  history.begin("rates", 5, -Infinity, -Infinity);
  history.begin("rates", 9, 1, 2);
  assertEquals(history.outages, 1);
  assertEquals(history.lastOutages[0], {
    dependency: "rates",
    downAt: 5,
    upAt: undefined,
    from: undefined,
    until: undefined,
  });
});

Deno.test("CheckpointHistory notes from which event time on results were stale, for each correction", () => {
  const history = new CheckpointHistory();
  const correcting = { type: "correcting", from: { 0: 7 }, dependencies: ["rates"] } as const;
  history.stale(40);
  history.stale(30);
  history.note(correcting, at(100, 90));
  history.corrected(110);
  history.stale(60);
  history.note(correcting, at(200, 95));
  const known = history.lastCorrections.map(({ at, doneAt, from, until }) => [
    at,
    doneAt,
    from,
    until,
  ]);
  assertEquals(known, [[100, 110, 30, 90], [200, undefined, 60, 95]]);
  assertEquals(history.corrections, 2);
});

Deno.test("CheckpointHistory keeps the last 32 of each, and counts all", () => {
  const history = new CheckpointHistory();
  for (let n = 0; n < 40; n++) {
    history.note(down, at(n));
    history.note(up, at(n));
  }
  const { lastOutages } = history;
  assertEquals([history.outages, lastOutages.length, lastOutages[0]?.downAt], [40, 32, 8]);
});
