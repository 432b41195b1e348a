/** What has happened, in words. */
import { h } from "./dom.js";
import { count, errorText, lasting, time } from "./words.js";

/** How many events are kept. */
const MOST_EVENTS = 200;
const events = [];

export function eventList() {
  if (events.length === 0) {
    return h("p", { class: "faint" }, "Nothing has happened since this page is open.");
  }
  return h(
    "ul",
    { class: "plain events", tabindex: "0", "aria-label": "Events, the newest first" },
    events.map(({ at, text }) => h("li", {}, h("time", {}, time(at)), h("span", {}, text))),
  );
}

/** An event in words; of commits only those that failed are told. */
export function eventText(event) {
  switch (event.type) {
    case "started":
      return `Messages flow through ${event.flows.join(", ")}`;
    case "gate":
      return event.reasons.length === 0
        ? `${event.source} is open`
        : `${event.source} is paused by: ${event.reasons.join(", ")}`;
    case "retry":
      return `Flow ${event.flow} retries (attempt ${event.attempt}) after ${
        errorText(event.error)
      }`;
    case "skipped":
      return `Flow ${event.flow} skipped ${errorText(event.error)}`;
    case "dead_letter":
      return `Flow ${event.flow} wrote a dead letter: ${errorText(event.error)}`;
    case "commit":
      return undefined;
    case "commit_failed":
      return `A commit failed: ${errorText(event.error)}`;
    case "evicted":
      return `Caches evicted ${count(event.entries)} entries`;
    case "updates_waiting":
      return `Writers of ${event.cache} wait for reader ${event.reader}, for ${
        lasting(event.waitedMs)
      }`;
    case "source_ended":
      return `${event.source} has ended, ${count(event.messages)} messages were done`;
    case "flow_ended":
      return `Flow ${event.flow} has ended`;
    case "more":
      return `Flow ${event.flow}: ${count(event.count)} more of ${event.events}`;
    case "stopping":
      return "The app stops";
    case "ended":
      return event.error ? `The app has ended: ${errorText(event.error)}` : "The app has ended";
    case "error":
      return `An error ends the app: ${errorText(event.error)}`;
  }
  return event.type;
}

export function addEvent(at, text) {
  if (text === undefined || events[0]?.text === text) return;
  events.unshift({ at, text });
  events.length = Math.min(events.length, MOST_EVENTS);
}
