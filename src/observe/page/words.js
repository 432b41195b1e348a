/** Times, durations and numbers as the page writes them. */
import { page } from "./state.js";

export const clockFormat = new Intl.DateTimeFormat("en-GB", {
  timeStyle: "medium",
  timeZone: "UTC",
});
const dateFormat = new Intl.DateTimeFormat("en-GB", {
  dateStyle: "medium",
  timeStyle: "medium",
  timeZone: "UTC",
});

/** A time of today without its date. */
export function time(ms, now = page.shown?.snapshot.at ?? Date.now()) {
  if (ms === undefined || ms === null) return "–";
  return Math.abs(now - ms) < 43_200_000 ? clockFormat.format(ms) : dateFormat.format(ms);
}

export function lasting(ms) {
  if (ms === undefined || ms === null) return "–";
  if (ms < 0) return `−${lasting(-ms)}`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${count(Math.round(ms / 86_400_000))} d`;
}

export function count(number) {
  return number === undefined || number === null ? "–" : Math.round(number).toLocaleString("en-US");
}

export function perSecond(rate) {
  return rate > 0 && rate < 9.95 ? `${rate.toFixed(1)}/s` : `${count(rate)}/s`;
}

export function bytes(size) {
  if (size === undefined) return "–";
  if (size < 1e3) return `${size} B`;
  if (size < 1e6) return `${(size / 1e3).toFixed(1)} kB`;
  return size < 1e9 ? `${(size / 1e6).toFixed(1)} MB` : `${(size / 1e9).toFixed(1)} GB`;
}

export function place({ topic, partition, offset, sink }) {
  return [
    topic,
    partition !== undefined && `partition ${partition}`,
    offset !== undefined && `offset ${offset}`,
    sink,
  ].filter(Boolean).join(", ");
}

export function errorText(error) {
  return error === undefined ? "" : `${time(error.at)} ${errorWords(error)}`;
}

/** An error without its time. */
export function errorWords(error) {
  const where = [place(error), error.line].filter(Boolean).join(" at ");
  const told = error.quotes && error.text.startsWith("not shown") ? "" : `: ${error.text}`;
  return `${error.name}${where === "" ? "" : ` (${where})`}${told}`;
}
