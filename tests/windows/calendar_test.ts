import { assertEquals, assertThrows } from "@std/assert";
import { calendarAlignment, type CalendarSize } from "../../src/windows/alignment.ts";
import { count, tumbling } from "../../src/windows/mod.ts";

const HOUR = 3_600_000;
const at = (text: string) => Temporal.Instant.from(text).epochMilliseconds;

function spanOf(size: CalendarSize, time: string): [start: string, end: string, hours: number] {
  const { start, end } = calendarAlignment(size).of(at(time));
  const shown = (ms: number) =>
    Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(size.timeZone ?? "UTC")
      .toPlainDateTime()
      .toString();
  return [shown(start), shown(end), (end - start) / HOUR];
}

const paris = (unit: CalendarSize["unit"]): CalendarSize => ({ unit, timeZone: "Europe/Paris" });

Deno.test("a day has 23 or 25 hours when the clocks change", () => {
  const day = paris("day");
  assertEquals(spanOf(day, "2026-03-29T12:00Z"), [
    "2026-03-29T00:00:00",
    "2026-03-30T00:00:00",
    23,
  ]);
  assertEquals(spanOf(day, "2026-10-25T12:00Z"), [
    "2026-10-25T00:00:00",
    "2026-10-26T00:00:00",
    25,
  ]);
  assertEquals(spanOf(day, "2026-10-25T22:59:59.999Z")[0], "2026-10-25T00:00:00");
  assertEquals(spanOf(day, "2026-10-25T23:00Z")[0], "2026-10-26T00:00:00");
});

Deno.test("a day that begins at one o'clock, since midnight is skipped, is a day", () => {
  const cairo = { unit: "day", timeZone: "Africa/Cairo" } as const;
  assertEquals(spanOf(cairo, "2026-04-24T10:00Z"), [
    "2026-04-24T01:00:00",
    "2026-04-25T00:00:00",
    23,
  ]);
});

Deno.test("weeks begin on Monday, months and years on their first day", () => {
  assertEquals(spanOf(paris("week"), "2026-01-01T12:00Z").slice(0, 2), [
    "2025-12-29T00:00:00",
    "2026-01-05T00:00:00",
  ]);
  assertEquals(spanOf(paris("month"), "2026-03-31T21:59Z"), [
    "2026-03-01T00:00:00",
    "2026-04-01T00:00:00",
    31 * 24 - 1,
  ]);
  assertEquals(spanOf(paris("year"), "2025-12-31T23:30Z").slice(0, 2), [
    "2026-01-01T00:00:00",
    "2027-01-01T00:00:00",
  ]);
  assertEquals(spanOf({ unit: "day" }, "2026-01-01T12:00Z")[2], 24);
});

Deno.test("an hour that comes twice is two windows, in zones of half hours too", () => {
  const hour = paris("hour");
  assertEquals(spanOf(hour, "2026-10-25T00:30Z"), [
    "2026-10-25T02:00:00",
    "2026-10-25T02:00:00",
    1,
  ]);
  assertEquals(spanOf(hour, "2026-10-25T01:30Z"), [
    "2026-10-25T02:00:00",
    "2026-10-25T03:00:00",
    1,
  ]);
  assertEquals(
    spanOf({ unit: "hour", timeZone: "Asia/Kolkata" }, "2026-01-01T00:00Z").slice(0, 2),
    [
      "2026-01-01T05:00:00",
      "2026-01-01T06:00:00",
    ],
  );
});

Deno.test("windows of the calendar leave no gap and do not overlap, whatever the zone", () => {
  const zones = [
    "Europe/Paris",
    "Australia/Lord_Howe",
    "America/New_York",
    "Africa/Cairo",
    "Asia/Kolkata",
    "UTC",
  ];
  for (const timeZone of zones) {
    for (const unit of ["hour", "day", "week", "month"] as const) {
      const spanAt = (time: number) => calendarAlignment({ unit, timeZone }).of(time);
      let { end } = spanAt(at("2026-01-01T00:00Z"));
      while (end < at("2027-01-01T00:00Z")) {
        const next = spanAt(end);
        assertEquals(next.start, end, `${timeZone} ${unit}`);
        assertEquals(spanAt(next.end - 1), next, `${timeZone} ${unit}`);
        ({ end } = next);
      }
    }
  }
});

Deno.test("a calendar size is checked", () => {
  const make = (size: unknown) => () => tumbling({ size: size as CalendarSize, into: count() });
  assertThrows(make({ unit: "fortnight" }), TypeError, 'must be "hour", "day"');
  assertThrows(make({ unit: "day", timeZone: "Mars/Olympus" }), TypeError, "an IANA time zone");
  assertThrows(
    make({ unit: "day", zone: "UTC" }),
    TypeError,
    'Cannot use option "zone" of a calendar size',
  );
  assertThrows(make({ days: 1.5, hours: 0.00000001 }), RangeError);
  assertThrows(make(0), RangeError);
});
