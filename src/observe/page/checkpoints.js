/** A checkpoint: pulse against frontier, outages, what is provisional, what was corrected and when. */
import { chart } from "./chart.js";
import { h } from "./dom.js";
import { figures } from "./table.js";
import { line } from "./trail.js";
import { clockFormat, count, lasting, time } from "./words.js";

export function checkpoint(each) {
  const {
    id,
    checkpoint,
    pauses,
    correcting,
    corrects,
    pulse,
    frontier,
    provisional,
    stale,
    held,
  } = each;
  const { lastOutages, lastCorrections, dependencies, outages, corrections } = each;
  const state = pauses
    ? ["bad", "pauses its dependent"]
    : dependencies.some(({ down }) => down)
    ? ["bad", "its dependent goes on with old data"]
    : correcting
    ? ["warn", "corrects"]
    : ["good", "follows"];
  const staleParts = Object.entries(stale);
  return h(
    "article",
    { id: `at ${id}` },
    h(
      "div",
      { class: "title" },
      h("h3", {}, checkpoint),
      h("span", { class: `chip ${state[0]}` }, state[1]),
    ),
    figures({
      "pulse (event time)": time(pulse),
      "frontier (event time)": time(frontier),
      "provisional results": count(provisional.results),
      "provisional from": time(provisional.from),
      "stale": staleParts.length === 0
        ? "none"
        : staleParts.map(([partition, position]) => `partition ${partition} from ${position}`).join(
          ", ",
        ),
      "outages": count(outages),
      "corrections": corrects ? count(corrections) : "off",
    }),
    h(
      "ul",
      { class: "plain" },
      dependencies.map((dependency) => h("li", {}, dependencyText(dependency))),
    ),
    held.map(({ partition, sinceMs, waitsFor }) =>
      h(
        "p",
        { class: "faint" },
        `Holds a message${partition === undefined ? "" : ` of partition ${partition}`} for ` +
          `${lasting(sinceMs)}: waits for ${waitsFor.join(", ")}`,
      )
    ),
    chart({
      id: `checkpoint ${id}`,
      title: "Pulse against frontier",
      height: 220,
      lines: [
        { name: "pulse", values: line(`pulse ${id}`) },
        { name: "frontier", values: line(`frontier ${id}`) },
      ],
      format: (ms) => time(ms, pulse),
      axis: (ms) => clockFormat.format(ms),
      areas: (scale) => timeline(each, scale),
    }),
    h(
      "ul",
      { class: "key", "aria-label": "Key" },
      key("line", "pulse: the dependent's event time"),
      key("line frontier", "frontier: everything before it is stored"),
      key("provisional", "provisional results"),
      key("outage", "outage"),
      key("corrected", "corrected results"),
    ),
    h(
      "ul",
      { class: "plain", id: `history ${id}` },
      [
        ...lastOutages.map((outage) => [outage.downAt, outageText(outage)]),
        ...lastCorrections.map((correction) => [correction.at, correctionText(correction)]),
      ].sort(([a], [b]) => b - a).slice(0, 8).map(([, text]) => h("li", {}, text)),
    ),
  );
}

function key(name, text) {
  const shape = name.startsWith("line")
    ? h("path", { d: "M0 7H22", class: name })
    : h("rect", { x: 1, y: 1, width: 20, height: 12, class: name });
  return h(
    "li",
    {},
    h("svg", { class: "chart", width: 22, height: 14, "aria-hidden": "true" }, shape),
    text,
  );
}

/** What is drawn below pulse and frontier: outages, what is provisional between the two, and what was corrected. */
function timeline({ id, lastOutages, lastCorrections }, { x, y, at, top, bottom }) {
  const [pulses, frontiers] = [line(`pulse ${id}`), line(`frontier ${id}`)];
  const between = [];
  for (let index = 1; index < at.length; index++) {
    const [pulse, frontier] = [pulses[index], frontiers[index]];
    if (pulse === null || frontier === null || pulse <= frontier) continue;
    const [left, right] = [x(at[index - 1]), x(at[index])];
    between.push(`M${left} ${y(pulse)}H${right}V${y(frontier)}H${left}Z`);
  }
  const last = at.at(-1);
  const band = (from, to, classes, low, high, label) => {
    if (to < at[0]) return "";
    return h(
      "rect",
      {
        x: x(from),
        y: high,
        width: Math.max(7, x(to) - x(from)),
        height: Math.max(5, low - high),
        class: classes,
      },
      h("title", {}, label),
    );
  };
  return [
    lastOutages.map((outage) =>
      band(outage.downAt, outage.upAt ?? last, "outage", bottom, top, outageText(outage))
    ),
    h("path", { d: between.join(""), class: "provisional" }),
    lastCorrections.map((correction) =>
      band(
        correction.at,
        correction.doneAt ?? last,
        "corrected",
        correction.from === undefined ? bottom : y(correction.from),
        correction.until === undefined ? top : y(correction.until),
        correctionText(correction),
      )
    ),
  ];
}

function dependencyText({ dependency, down, downMs, marker, frontier, lagging, complete }) {
  const slow = lagging.length === 0 ? "" : `, slowest: ${lagging.join(", ")}`;
  const state = down
    ? `down${downMs === undefined ? "" : ` for ${lasting(downMs)}`}${slow}`
    : complete
    ? "complete"
    : "up";
  return [
    h("strong", {}, dependency),
    " ",
    h("span", { class: `chip ${down ? "bad" : "good"}` }, state),
    ` last heartbeat ${time(marker)}, everything stored before ${time(frontier)}`,
  ];
}

function outageText({ dependency, downAt, upAt, from }) {
  const last = from === undefined ? "" : `; its last heartbeat was for ${time(from)}`;
  return upAt === undefined
    ? `${time(downAt)} ${dependency} went down, and is still${last}`
    : `${time(downAt)} ${dependency} went down, and came back after ${
      lasting(upAt - downAt)
    }${last}`;
}

function correctionText({ at, doneAt, from, until, positions, dependencies }) {
  const where = Object.entries(positions).map(([partition, position]) =>
    `partition ${partition} from ${position}`
  );
  const times = from === undefined ? "" : ` of ${time(from)} to ${time(until)}`;
  const took = doneAt === undefined ? "goes on" : `took ${lasting(doneAt - at)}`;
  return `${time(at)} correction of results${times} (${where.join(", ")}), for ${
    dependencies.join(", ")
  }: ${took}`;
}
