import { summaryOf } from "../flow/view/error_summary.ts";
import type { PartEvent, StatusEvent } from "../status.ts";

/** Returns what is told of an event: nothing of a message. The texts of errors of handlers and codecs are still there. */
export function toldEvent(event: StatusEvent | PartEvent, at: number): object {
  if ("event" in event) return { ...event, event: ofPart(event, at) };
  if (event.type !== "blocked") return event;
  const { key: _, ...told } = event;
  return told;
}

function ofPart({ type, event }: PartEvent, at: number): object {
  const { key: _key, value: _value, error, ...told } = event as Record<string, unknown>;
  if (error === undefined) return told;
  const summary = summaryOf(error, at);
  // What a topic tells are errors of its connection: they quote nothing, and come from no line of the user's.
  const shown = type === "topic" ? { ...summary, quotes: false, line: undefined } : summary;
  return { ...told, error: shown };
}
