/** What has happened, in words. */
import { h } from "./dom.js";
import { count, errorWords, lasting, place, time } from "./words.js";

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

/** An event in words. */
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
        errorWords(event.error)
      }`;
    case "skipped":
      return `Flow ${event.flow} skipped ${errorWords(event.error)}`;
    case "dead_letter":
      return `Flow ${event.flow} wrote a dead letter: ${errorWords(event.error)}`;
    case "commit_failed":
      return `A commit failed: ${errorWords(event.error)}`;
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
      return `${count(event.count)} more of ${event.events}, of ${event.of}`;
    case "blocked":
      return `${event.source} is not read: all wait for a message (${
        place(event) || "the oldest"
      })`;
    case "idle_advance":
      return `${event.source} partition ${event.partition} is silent: windows of flow ${event.flow} ` +
        `close up to ${time(event.watermark)}`;
    case "checkpoint":
      return `Checkpoint ${event.name}: ${checkpointText(event.event)}`;
    case "topic":
      return `Topic ${event.name}: ${topicText(event.event)}`;
    case "stopping":
      return "The app stops";
    case "ended":
      return event.error ? `The app has ended: ${errorWords(event.error)}` : "The app has ended";
    case "error":
      return `An error ends the app: ${errorWords(event.error)}`;
  }
  return event.type;
}

function checkpointText(event) {
  const { type, dependency, lagging } = event;
  const slow = lagging?.length > 0 ? `; slowest: ${lagging.join(", ")}` : "";
  switch (type) {
    case "down":
      return event.downtimeMs === undefined
        ? `${dependency} is down${slow}`
        : `${dependency} is down, behind by ${lasting(event.downtimeMs)} of event time${slow}`;
    case "recovered":
      return `${dependency} has caught up`;
    case "pause_expired":
      return `goes on without ${event.dependencies.join(", ")}: maxPause has passed`;
    case "correcting":
      return `results are corrected, ${positions(event.from)}, for ${
        event.dependencies.join(", ")
      }`;
    case "lost":
      return `stale results stay, since their messages have left the log, ${positions(event.from)}`;
    case "waiting":
      return `holds a message of ${markerText(event.marker)} for ${lasting(event.waitedMs)}, ` +
        `for ${dependency}${slow}`;
    case "late":
      return `a message of ${dependency} for ${markerText(event.marker)} came too late to correct`;
    case "ahead":
      return `ignores ${markerText(event.marker)}${
        dependency ? ` of ${dependency}` : ""
      }, which is too far ahead of the clock`;
    case "unheard":
      return `${count(event.messages)} messages of ${dependency} brought no heartbeat`;
  }
  return type;
}

function topicText(event) {
  const { type, partition, partitions, error } = event;
  switch (type) {
    case "away":
      return `the brokers do not answer${error ? `: ${error.text}` : ""}`;
    case "back":
      return "the brokers answer again";
    case "joining":
      return `waits for ${event.waitsFor}${
        event.waitedMs < 1_000 ? "" : `, for ${lasting(event.waitedMs)}`
      }`;
    case "assigned":
      return partitions.length === 0
        ? "it has no partitions: others of its group read them"
        : `reads partition${partitions.length === 1 ? "" : "s"} ${partitions.join(", ")}`;
    case "revoked":
      return `gives back partition${partitions.length === 1 ? "" : "s"} ${partitions.join(", ")}`;
    case "stuck":
      return `leaves its group, since the message of ${place(event)} takes too long`;
    case "lost":
      return `messages ${event.from} to ${event.to - 1} of partition ${partition} were deleted ` +
        "before they were read";
    case "failed":
      return `failed: ${errorWords(error)}`;
    case "dry":
      return "a message was not sent: it is dry";
  }
  return type;
}

function positions(from) {
  return Object.entries(from).map(([partition, position]) =>
    `partition ${partition} from ${position}`
  ).join(", ");
}

function markerText(marker) {
  return time(typeof marker === "number" ? marker : Date.parse(marker));
}

export function addEvent(at, text) {
  if (text === undefined || events[0]?.text === text) return;
  events.unshift({ at, text });
  events.length = Math.min(events.length, MOST_EVENTS);
}
