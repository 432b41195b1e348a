import type { Span } from "./windows.ts";

/** Which window a time belongs to. */
export interface Alignment {
  /** Returns the window of a time. */
  of(time: number): Span;
}

/** Windows of a fixed size, counted from the epoch. */
export function fixedAlignment(size: number): Alignment {
  return consecutive((time) => {
    const start = Math.floor(time / size) * size;
    return { start, end: start + size };
  });
}

/** Windows that follow each other: most messages are in the same one as the message before. */
function consecutive(spanOf: (time: number) => Span): Alignment {
  let current: Span = { start: Infinity, end: -Infinity };
  return {
    of(time) {
      if (!(time >= current.start && time < current.end)) current = spanOf(time);
      return current;
    },
  };
}

/** A size by the calendar. */
export interface CalendarSize {
  /** Weeks begin on Monday. */
  readonly unit: "hour" | "day" | "week" | "month" | "year";
  /** The IANA name of a time zone. @default {"UTC"} */
  readonly timeZone?: string | undefined;
}

/** The units of calendar sizes. */
export const UNITS: readonly CalendarSize["unit"][] = ["hour", "day", "week", "month", "year"];

const HOUR_MS = 3_600_000;

/** Windows of the calendar of a time zone: a day in which the clocks change has 23 or 25 hours. */
export function calendarAlignment({ unit, timeZone = "UTC" }: CalendarSize): Alignment {
  return consecutive((time) => spanOf(time, unit, timeZone));
}

function spanOf(time: number, unit: CalendarSize["unit"], timeZone: string): Span {
  const at = Temporal.Instant.fromEpochMilliseconds(Math.floor(time)).toZonedDateTimeISO(timeZone);
  if (unit === "hour") return hourOf(Math.floor(time), at);
  const date = at.toPlainDate();
  const first = unit === "day"
    ? date
    : unit === "week"
    ? date.subtract({ days: date.dayOfWeek - 1 })
    : unit === "month"
    ? date.with({ day: 1 })
    : date.with({ day: 1, month: 1 });
  const begin = (day: Temporal.PlainDate) => day.toZonedDateTime(timeZone).epochMilliseconds; // the first moment of the day
  return { start: begin(first), end: begin(first.add({ [`${unit}s`]: 1 })) };
}

/** An hour by the clock on the wall; where that changes within an hour, a window ends and another begins. */
function hourOf(time: number, at: Temporal.ZonedDateTime): Span {
  const offset = at.offsetNanoseconds / 1e6;
  const start = Math.floor((time + offset) / HOUR_MS) * HOUR_MS - offset;
  const previous = at.add({ nanoseconds: 1 }).getTimeZoneTransition("previous")?.epochMilliseconds;
  const next = at.getTimeZoneTransition("next")?.epochMilliseconds;
  return {
    start: Math.max(start, previous ?? -Infinity),
    end: Math.min(start + HOUR_MS, next ?? Infinity),
  };
}
