/** Flows, windows, commits and stores. */
import { h } from "./dom.js";
import { page } from "./state.js";
import { figures, table } from "./table.js";
import { severityOf } from "./topology.js";
import { bytes, count, errorText, lasting, perSecond, place, time } from "./words.js";

export function flowTable() {
  const { flows } = page.shown.snapshot;
  return table(
    [
      "flow",
      "rate",
      "done",
      "in flight",
      "waiting",
      "errors",
      "retries",
      "skipped",
      "dead letters",
      "now, and the last errors",
    ],
    flows.map((flow) => [
      flow.flow,
      perSecond(flow.rate),
      count(flow.messages),
      count(flow.inFlight),
      count(flow.waiting),
      count(flow.errors),
      count(flow.retries),
      count(flow.skipped),
      count(flow.deadLetters),
      [
        workText(flow),
        ...flow.errorKinds.slice(0, 3).map(({ count: times, last }) =>
          `${count(times)} × ${errorText(last)}`
        ),
      ].filter(Boolean).map((text) => h("div", {}, text)),
    ]),
    flows.map(({ id }) => severityOf(id)),
  );
}

function workText({ oldest, attempt, ended }) {
  if (ended) return "ended";
  if (oldest === undefined) return "";
  const where = place({ ...oldest, sink: undefined });
  const again = attempt > 1 ? `attempt ${attempt}, ` : "";
  return `${again}${oldest.what}${oldest.sink ? ` ${oldest.sink}` : ""}${
    where ? ` (${where})` : ""
  } ` +
    `for ${lasting(oldest.sinceMs)}`;
}

export function windowTable() {
  return table(
    ["window", "open", "closed", "late", "too far ahead", "waiting", "closed up to"],
    page.shown.snapshot.windows.map((
      { window, open, closed, late, ahead, waiting, watermark, delayMs },
    ) => [
      window,
      count(open),
      count(closed),
      count(late),
      count(ahead),
      count(waiting),
      watermark === undefined ? "–" : `${time(watermark)}, ${lasting(delayMs)} behind the clock`,
    ]),
  );
}

export function commits() {
  const { commits } = page.shown.snapshot;
  if (commits === undefined) {
    return h("p", { class: "faint" }, "No commits: the app does not stream yet.");
  }
  return [
    figures({
      "commits": count(commits.commits),
      "last": time(commits.lastAt),
      "age": lasting(commits.ageMs),
      "took": lasting(commits.durationMs),
      "failed": count(commits.failures),
    }),
    commits.failingMs !== undefined &&
    h(
      "p",
      { class: "bad-text" },
      `They have failed for ${lasting(commits.failingMs)}. ${errorText(commits.lastError)}`,
    ),
    commits.waitsFor.map((work) =>
      h(
        "p",
        { class: "faint" },
        `${work.what}${work.sink ? ` ${work.sink}` : ""}, for ${lasting(work.sinceMs)}`,
      )
    ),
  ];
}

export function storeTable() {
  const { stores } = page.shown.snapshot;
  if (stores.length === 0) return h("p", { class: "faint" }, "No cache is open.");
  return table(
    ["store", "entries", "bytes", "evicted", "saved at", "state"],
    stores.map(({ store, space, entries, bytes: size, evictions, savedAt, failure }) => [
      space === "" ? store : `${store}, space ${space}`,
      count(entries),
      bytes(size),
      count(evictions),
      time(savedAt),
      failure ? `not saved: ${failure.text}` : "",
    ]),
    stores.map(({ failure }) => failure ? "bad" : ""),
  );
}
