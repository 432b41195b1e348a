import { assertEquals, assertThrows } from "@std/assert";
import { type Duration, toMs } from "../src/duration.ts";
import { MemoryCache } from "../mod.ts";

const what = 'option "ttl" of a cache';

Deno.test("toMs() reads milliseconds, units that add up, and a Temporal.Duration", () => {
  const cases: [Duration, number][] = [
    [0, 0],
    [1.5, 1.5],
    [Infinity, Infinity],
    [{ days: 1, hours: 2, minutes: 3, seconds: 4, milliseconds: 5 }, 93_784_005],
    [{ hours: 0 }, 0],
    [{ minutes: 1, seconds: undefined }, 60_000],
    [{ seconds: Infinity }, Infinity],
    [Temporal.Duration.from("P1DT1H"), 90_000_000],
    [Temporal.Duration.from({ seconds: 1, microseconds: 500 }), 1_000.5],
    [new Temporal.Duration(), 0],
  ];
  for (const [given, ms] of cases) assertEquals(toMs(given, what), ms);
});

Deno.test("toMs() says what is wrong, and what to write", () => {
  const form = "a duration: milliseconds as a number, units such as { seconds: 10 }, or a " +
    "Temporal.Duration";
  const cases: [unknown, typeof Error, string][] = [
    [
      NaN,
      RangeError,
      `Cannot use ${what} as it must be a duration of milliseconds >= 0: current value is NaN`,
    ],
    [
      -1,
      RangeError,
      `Cannot use ${what} as it must be a duration of milliseconds >= 0: current value is -1`,
    ],
    ["5s", TypeError, `Cannot use ${what} as it must be ${form}: current value is "5s"`],
    [null, TypeError, `Cannot use ${what} as it must be ${form}: current value is null`],
    [[1], TypeError, `Cannot use ${what} as it must be ${form}: current value is an array`],
    [
      {},
      TypeError,
      `Cannot use ${what} as it has no unit: write at least one, e.g. { seconds: 10 }; the units are ` +
      "days, hours, minutes, seconds, milliseconds",
    ],
    [{ second: 5 }, TypeError, `Cannot use unit "second" in ${what}: did you mean "seconds"?`],
    [{ hour: 5 }, TypeError, `Cannot use unit "hour" in ${what}: did you mean "hours"?`],
    [{ weeks: 1 }, TypeError, `Cannot use ${what} in weeks: write days, e.g. { days: 7 }`],
    [
      { seconds: "5" },
      TypeError,
      `Cannot use the seconds of ${what} as it must be a number: current value is "5"`,
    ],
    [
      { minutes: 1, seconds: -1 },
      RangeError,
      `Cannot use the seconds of ${what} as it must be >= 0: current value is -1`,
    ],
    [
      { days: NaN },
      RangeError,
      `Cannot use the days of ${what} as it must be >= 0: current value is NaN`,
    ],
    [
      Temporal.Duration.from({ months: 1, days: 2 }),
      TypeError,
      `Cannot use ${what} with years, months or weeks, whose length depends on the calendar: write days ` +
      "instead; current value is P1M2D",
    ],
    [
      Temporal.Duration.from({ seconds: -2 }),
      RangeError,
      `Cannot use ${what} as it must be a duration of milliseconds >= 0: current value is -2000`,
    ],
    [new Date(0), TypeError, `Cannot use ${what} as it has no unit`],
  ];
  for (const [given, kind, message] of cases) assertThrows(() => toMs(given, what), kind, message);
});

Deno.test("toMs() keeps to its bounds", () => {
  assertThrows(
    () => toMs(0, what, { positive: true }),
    RangeError,
    "a duration of milliseconds > 0",
  );
  assertThrows(
    () => toMs(0.5, what, { least: 1 }),
    RangeError,
    "milliseconds >= 1: current value is 0.5",
  );
  assertThrows(
    () => toMs({ seconds: 0.0005 }, what, { whole: true }),
    RangeError,
    "whole milliseconds",
  );
  assertThrows(() => toMs(Infinity, what, { whole: true }), RangeError, "whole milliseconds");
  assertThrows(() => toMs(Infinity, what, { finite: true }), RangeError, "finite milliseconds");
  assertEquals(toMs({ seconds: 1.5 }, what, { whole: true }), 1_500);
});

Deno.test("a Duration of calendar units, or of none that is known, is an error of the compiler", () => {
  // @ts-expect-error: weeks depend on the calendar
  assertThrows(() => new MemoryCache({ ttl: { weeks: 1 } }), TypeError, "in weeks");
  // @ts-expect-error: the unit is called seconds
  assertThrows(() => new MemoryCache({ ttl: { second: 1 } }), TypeError, '"seconds"');
});
