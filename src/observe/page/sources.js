/** A source: its gate in words, its lag, its watermark, its partitions. */
import { chart } from "./chart.js";
import { h } from "./dom.js";
import { page } from "./state.js";
import { figures, table } from "./table.js";
import { line } from "./trail.js";
import { count, lasting, perSecond, time } from "./words.js";

/** How many partitions of a source are shown. */
const MOST_PARTITIONS = 32;

export function source(
  { id, source, messages, rate, lag, queue, pausedFor, waitsFor, watermark, partitions, ended },
) {
  const state = ended
    ? ["", "ended"]
    : waitsFor !== undefined
    ? ["warn", "waits"]
    : pausedFor.length > 0
    ? ["warn", "paused"]
    : partitions.some(({ heldFor }) => heldFor.length > 0)
    ? ["warn", "partly held"]
    : page.shown.snapshot.state === "streaming"
    ? ["good", "open"]
    : ["", page.shown.snapshot.state];
  const words = waitsFor !== undefined
    ? `Waits for ${waitsFor.what}, for ${lasting(waitsFor.sinceMs)}.`
    : pausedFor.length > 0
    ? `Paused by: ${pausedFor.join(", ")}. Its messages wait until all of these let go.`
    : "";
  return h(
    "article",
    { id: `at ${id}` },
    h(
      "div",
      { class: "title" },
      h("h3", {}, source),
      h("span", { class: `chip ${state[0]}` }, state[1]),
    ),
    words && h("p", { class: "faint" }, words),
    figures({
      "rate": perSecond(rate),
      "done": count(messages),
      "lag": lag === undefined ? undefined : count(lag),
      "in the queue": queue && `${queue.size} of ${queue.bound}`,
      "event time": watermark && time(watermark.time),
      "behind the clock": watermark && lasting(watermark.delayMs),
    }),
    lag !== undefined || line(`lag ${id}`).some((each) => each !== null)
      ? chart({
        id: `lag ${id}`,
        title: "Lag (messages)",
        lines: [{ name: "lag", values: line(`lag ${id}`) }],
        format: count,
        zero: true,
      })
      : "",
    watermark &&
      chart({
        id: `delay ${id}`,
        title: `Watermark delay (${
          watermark.of === "frontier" ? "frontier" : "last message"
        } behind the clock)`,
        lines: [{ name: "delay", values: line(`delay ${id}`) }],
        format: lasting,
      }),
    partitions.length > 0 && partitionTable(id, partitions),
  );
}

function partitionTable(id, all) {
  const isCut = all.length > MOST_PARTITIONS;
  const partitions = isCut
    ? all.toSorted((a, b) => (b.lag ?? 0) - (a.lag ?? 0)).slice(0, MOST_PARTITIONS)
    : all;
  const isHeard = partitions.some(({ heard }) => heard !== undefined);
  return h(
    "details",
    { open: true, id: `partitions ${id}` },
    h(
      "summary",
      {},
      `${count(all.length)} partition${all.length === 1 ? "" : "s"}`,
      isCut && `; those with the largest lag are the ${MOST_PARTITIONS} below`,
    ),
    table(
      [
        "partition",
        "position",
        "end",
        "lag",
        "committed",
        ...(isHeard ? ["last heartbeat"] : []),
        "state",
      ],
      partitions.map(({ partition, position, end, lag, committed, heard, heldFor }) => [
        partition,
        count(position),
        count(end),
        count(lag),
        count(committed),
        ...isHeard ? [time(heard)] : [],
        heldFor.length > 0 ? `held: ${heldFor.join(", ")}` : lag === 0 ? "caught up" : "",
      ]),
    ),
  );
}
