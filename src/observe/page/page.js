// The dashboard. It shows what /status sends, and decides nothing: what is wrong, and in which words, the app says.
import { checkpoint } from "./checkpoints.js";
import { fill, h } from "./dom.js";
import { addEvent, eventList, eventText } from "./events.js";
import { commits, flowTable, storeTable, windowTable } from "./flows.js";
import { source } from "./sources.js";
import { main, page } from "./state.js";
import { section } from "./table.js";
import { graph } from "./topology.js";
import { addToTrail, loadTrail } from "./trail.js";
import { clockFormat, count, lasting, time } from "./words.js";

/** Without a snapshot for so long, the page says so. */
const QUIET_MS = 5_000;

const head = document.getElementById("head");
const spoken = document.getElementById("spoken");

/** Runs from the end of a connection until the page says that it is lost. */
let lost;
/** The ids of the events that were sent already: a new connection begins with those that are kept. */
const seen = new Set();

function renderHead() {
  const state = page.shown?.snapshot.state;
  const kinds = {
    streaming: "good",
    ended: page.shown?.snapshot.error ? "bad" : "",
    stopping: "warn",
  };
  const quiet = page.shown !== undefined && state !== "ended" &&
    Date.now() - page.arrivedAt > QUIET_MS;
  const link = page.refused
    ? ["bad", "a token is needed: load the page again"]
    : !page.connected
    ? [
      "bad",
      page.shown === undefined ? "not connected, trying" : "connection lost, trying again",
    ]
    : quiet
    ? ["warn", "the app does not answer"]
    : undefined;
  const { startedAt, endedAt, at } = page.shown?.snapshot ?? {};
  const now = at === undefined
    ? undefined
    : at + (state === "ended" ? 0 : Date.now() - page.arrivedAt);
  const since = state === "ended" && endedAt !== undefined
    ? `ended at ${time(endedAt)}, after ${lasting(endedAt - startedAt)}`
    : startedAt !== undefined
    ? `since ${time(startedAt)}, for ${lasting(now - startedAt)}`
    : "";
  fill(
    head,
    h("h1", {}, "Slipstream"),
    state && h("span", { class: `chip ${kinds[state] ?? ""}`, id: "state" }, state),
    h("span", { class: "faint" }, since),
    link && h("span", { class: `chip ${link[0]}`, id: "link" }, link[1]),
    page.shown &&
      h(
        "span",
        { class: "when" },
        page.connected && !quiet ? "live, " : "",
        `as of ${clockFormat.format(page.shown.snapshot.at)}`,
      ),
  );
  main.classList.toggle("stale", page.shown !== undefined && !page.connected);
  document.title =
    `${page.shown?.problems.some(({ severity }) => severity === "bad") ? "⚠ " : ""}` +
    `Slipstream${state ? `: ${page.connected ? state : "connection lost"}` : ""}`;
}

function render() {
  renderHead();
  if (page.shown === undefined) return;
  const { snapshot, topology } = page.shown;
  if (snapshot.flows.length === 0) {
    fill(
      main,
      h("section", {}, h("h2", {}, "Nothing is bound"), h("p", {}, "The app has no flows yet.")),
    );
    return;
  }
  fill(
    main,
    problemList(),
    section("topology", "Topology", graph(topology)),
    snapshot.checkpoints.length > 0 &&
      section("checkpoints", "Checkpoints", snapshot.checkpoints.map(checkpoint)),
    section("flows", "Flows", flowTable()),
    section("sources", "Sources", h("div", { class: "cards" }, snapshot.sources.map(source))),
    snapshot.windows?.length > 0 && section("windows", "Windows", windowTable()),
    section("stores", "Commits and stores", commits(), storeTable()),
    section("events", "Events", eventList()),
  );
}

function problemList() {
  const { problems } = page.shown;
  const words = { bad: "Error", warn: "Warning", info: "Info" };
  const counts = ["bad", "warn"].map((each) =>
    problems.filter(({ severity }) => severity === each).length
  );
  const summary = counts[0] + counts[1] === 0
    ? "Nothing is wrong"
    : `${counts[0]} error${counts[0] === 1 ? "" : "s"}, ${counts[1]} warning${
      counts[1] === 1 ? "" : "s"
    }`;
  if (spoken.textContent !== summary) spoken.textContent = summary; // spoken when it changes, not each second
  return section(
    "problems",
    summary,
    problems.length === 0
      ? h(
        "p",
        { class: "faint" },
        {
          idle: "The app does not stream yet.",
          ended: "The app has come to its end.",
        }[page.shown.snapshot.state] ?? "Everything moves, or has nothing to do.",
      )
      : h(
        "ul",
        { class: "problems" },
        problems.map(({ severity, text }) =>
          h("li", { class: severity }, h("b", {}, words[severity]), h("span", {}, text))
        ),
      ),
  );
}

function connect() {
  const source = new EventSource("status");
  source.addEventListener("open", () => {
    clearTimeout(lost);
    lost = undefined;
    page.connected = true;
    page.refused = false;
    loadTrail();
    render();
  });
  source.addEventListener("snapshot", ({ data }) => {
    page.shown = JSON.parse(data);
    page.arrivedAt = Date.now();
    addToTrail(page.shown.snapshot);
    render();
  });
  source.addEventListener("status", ({ data, lastEventId }) => {
    if (seen.has(lastEventId)) return;
    seen.add(lastEventId);
    const event = JSON.parse(data);
    addEvent(event.at, eventText(event));
  });
  source.addEventListener("unseen", ({ data }) => {
    addEvent(page.shown?.snapshot.at ?? Date.now(), JSON.parse(data).text);
  });
  source.addEventListener("missed", ({ data }) => {
    addEvent(
      page.shown?.snapshot.at ?? Date.now(),
      `${count(JSON.parse(data).events)} events were not kept`,
    );
  });
  source.addEventListener("error", async () => {
    // It ends by itself when the app has, and is open again in a second, if there is still somebody.
    lost ??= setTimeout(() => {
      page.connected = false;
      renderHead();
    }, 3_000);
    if (source.readyState !== EventSource.CLOSED) return; // the browser tries again
    const { status } = await fetch("snapshot.json").catch(() => ({ status: 0 }));
    page.refused = status === 401;
    renderHead();
    if (!page.refused) setTimeout(connect, 2_000);
  });
}

page.render = render;
setInterval(renderHead, 1_000);
addEventListener("resize", render);
renderHead();
connect();
