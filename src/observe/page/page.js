// The dashboard. It shows what /status sends, and decides nothing: what is wrong, and in which words, the app says.

/** How many points a chart keeps, and how many events the list. */
const MOST_POINTS = 900;
const MOST_EVENTS = 200;
/** Without a snapshot for so long, the page says so. */
const QUIET_MS = 5_000;

const head = document.getElementById("head");
const main = document.getElementById("main");
const spoken = document.getElementById("spoken");

/** The last snapshot that was sent, with the problems and the topology; undefined before the first. */
let shown;
let arrivedAt = 0;
let connected = false;
let refused = false;
/** Runs from the end of a connection until the page says that it is lost. */
let lost;
const events = [];
/** The ids of the events that were sent already: a new connection begins with those that are kept. */
const seen = new Set();
/** How the lines of the charts went. */
let trail = { at: [], lines: {} };
/** Where the cursor is in each chart, as an index. */
const cursors = new Map();

// Building elements

const SVG = "http://www.w3.org/2000/svg";
const SVG_NAMES = new Set(["svg", "g", "path", "rect", "line", "text", "title", "circle"]);

/** Makes an element: attributes and children; what is nullish or false is left out. */
function h(name, attributes = {}, ...children) {
  const element = SVG_NAMES.has(name)
    ? document.createElementNS(SVG, name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    element.setAttribute(key, value === true ? "" : value);
  }
  element.append(
    ...children.flat(9).filter((child) => child || child === 0).map((child) =>
      typeof child === "object" ? child : String(child)
    ),
  );
  return element;
}

/** Makes what is shown like what should be, and keeps the elements: the focus, what is open and selected stays. */
function morph(old, next) {
  if (old.nodeType !== next.nodeType || old.nodeName !== next.nodeName || old.id !== next.id) {
    return old.replaceWith(next);
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!next.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const [before, after] = [[...old.childNodes], [...next.childNodes]];
  for (const [index, child] of after.entries()) {
    if (index < before.length) morph(before[index], child);
    else old.append(child);
  }
  for (const child of before.slice(after.length)) child.remove();
}

function fill(element, ...children) {
  const next = element.cloneNode(false);
  next.append(...children.flat(9).filter(Boolean));
  morph(element, next);
}

// Words

const clockFormat = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone: "UTC" });
const dateFormat = new Intl.DateTimeFormat("en-GB", {
  dateStyle: "medium",
  timeStyle: "medium",
  timeZone: "UTC",
});

/** A time of today without its date. */
function time(ms, now = shown?.snapshot.at ?? Date.now()) {
  if (ms === undefined || ms === null) return "–";
  return Math.abs(now - ms) < 43_200_000 ? clockFormat.format(ms) : dateFormat.format(ms);
}

function lasting(ms) {
  if (ms === undefined || ms === null) return "–";
  if (ms < 0) return `−${lasting(-ms)}`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${count(Math.round(ms / 86_400_000))} d`;
}

function count(number) {
  return number === undefined || number === null ? "–" : Math.round(number).toLocaleString("en-US");
}

function perSecond(rate) {
  return rate > 0 && rate < 9.95 ? `${rate.toFixed(1)}/s` : `${count(rate)}/s`;
}

function bytes(size) {
  if (size === undefined) return "–";
  if (size < 1e3) return `${size} B`;
  if (size < 1e6) return `${(size / 1e3).toFixed(1)} kB`;
  return size < 1e9 ? `${(size / 1e6).toFixed(1)} MB` : `${(size / 1e9).toFixed(1)} GB`;
}

function place({ topic, partition, offset, sink }) {
  return [
    topic,
    partition !== undefined && `partition ${partition}`,
    offset !== undefined && `offset ${offset}`,
    sink,
  ].filter(Boolean).join(", ");
}

function errorText(error) {
  if (error === undefined) return "";
  const where = [place(error), error.line].filter(Boolean).join(" at ");
  const told = error.quotes && error.text.startsWith("not shown") ? "" : `: ${error.text}`;
  return `${time(error.at)} ${error.name}${where === "" ? "" : ` (${where})`}${told}`;
}

// The parts of the page

function renderHead() {
  const state = shown?.snapshot.state;
  const kinds = { streaming: "good", ended: shown?.snapshot.error ? "bad" : "", stopping: "warn" };
  const quiet = shown !== undefined && state !== "ended" && Date.now() - arrivedAt > QUIET_MS;
  const link = refused
    ? ["bad", "a token is needed: load the page again"]
    : !connected
    ? ["bad", shown === undefined ? "not connected, trying" : "connection lost, trying again"]
    : quiet
    ? ["warn", "the app does not answer"]
    : undefined;
  const { startedAt, endedAt, at } = shown?.snapshot ?? {};
  const now = at === undefined ? undefined : at + (state === "ended" ? 0 : Date.now() - arrivedAt);
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
    shown &&
      h(
        "span",
        { class: "when" },
        connected && !quiet ? "live, " : "",
        `as of ${clockFormat.format(shown.snapshot.at)}`,
      ),
  );
  main.classList.toggle("stale", shown !== undefined && !connected);
  document.title = `${shown?.problems.some(({ severity }) => severity === "bad") ? "⚠ " : ""}` +
    `Slipstream${state ? `: ${connected ? state : "connection lost"}` : ""}`;
}

function render() {
  renderHead();
  if (shown === undefined) return;
  const { snapshot, topology } = shown;
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

function section(id, title, ...content) {
  return h(
    "section",
    { id, "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, title),
    content,
  );
}

function problemList() {
  const { problems } = shown;
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
        }[shown.snapshot.state] ?? "Everything moves, or has nothing to do.",
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

/** Which problem a node has. */
function severityOf(id) {
  const own = shown.problems.filter((problem) => problem.id === id).map(({ severity }) => severity);
  return own.includes("bad") ? "bad" : own.includes("warn") ? "warn" : "";
}

// The topology

const BOX = { width: 168, height: 56 };

function graph({ nodes, edges }) {
  const room = main.clientWidth - (main.clientWidth < 640 ? 24 : 34);
  const tall = room < 640;
  // Where it is narrow, the graph runs down the page, with so many nodes beside each other as there is room for.
  const perRow = Math.max(1, Math.floor((room + 12) / 162));
  const layers = tall
    ? layersOf(nodes, edges).flatMap((layer) => rowsOf(layer, perRow))
    : layersOf(nodes, edges);
  const spare = (room - 8 - layers.length * BOX.width) / Math.max(1, layers.length - 1);
  const gap = tall
    ? { along: 44, across: 12 }
    : { along: Math.max(64, Math.min(220, spare)), across: 20 };
  const box = tall ? { width: 150, height: BOX.height } : BOX;
  const step = (tall ? box.height : box.width) + gap.along;
  const across = (tall ? box.width : box.height) + gap.across;
  const most = Math.max(...layers.map(({ length }) => length));
  const at = new Map();
  for (const [depth, layer] of layers.entries()) {
    for (const [index, { id }] of layer.entries()) {
      const side = index * across + (most - layer.length) * across / 2 + 4;
      const way = depth * step + 4;
      at.set(id, tall ? { x: side, y: way } : { x: way, y: side });
    }
  }
  const long = layers.length * step - gap.along + 8;
  const broad = most * across - gap.across + 8;
  const [width, height] = tall ? [broad, long] : [long, broad];
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const named = ({ from, to, kind }) => `${byId.get(from).name} → ${byId.get(to).name} (${kind})`;
  const drawn = edges.map((edge) => drawEdge(edge, at, box, tall));
  return [
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "group", "aria-label": "Topology, drawn" },
      h(
        "svg",
        {
          width,
          height,
          viewBox: `0 0 ${width} ${height}`,
          role: "img",
          "aria-label": `${nodes.length} nodes and ${edges.length} relations; below as text`,
        },
        drawn.map(({ path }) => path),
        nodes.map((node) => drawNode(node, at.get(node.id), box)),
        drawn.map(({ label }) => label),
      ),
    ),
    h(
      "details",
      { id: "topology-text" },
      h("summary", {}, "As text"),
      h("ul", {}, edges.map((edge) => h("li", {}, named(edge)))),
    ),
  ];
}

function rowsOf(layer, most) {
  const count = Math.ceil(layer.length / most);
  const size = Math.ceil(layer.length / count);
  return Array.from({ length: count }, (_, row) => layer.slice(row * size, (row + 1) * size));
}

/** The nodes in layers: each behind all that it gets something from; what leads back is no reason. */
function layersOf(nodes, edges) {
  const ways = edges.filter(({ kind }) => kind !== "dependent");
  const depth = new Map();
  const open = new Set();
  const depthOf = (id) => {
    if (depth.has(id)) return depth.get(id);
    if (open.has(id)) return -1;
    open.add(id);
    const before = ways.filter(({ to }) => to === id).map(({ from }) => depthOf(from));
    depth.set(id, Math.max(-1, ...before) + 1);
    open.delete(id);
    return depth.get(id);
  };
  const layers = [];
  for (const node of nodes) (layers[depthOf(node.id)] ??= []).push(node);
  const kept = layers.filter(Boolean);
  // Each layer in the order of what leads to it, so that fewer lines cross.
  for (let index = 1; index < kept.length; index++) {
    const placeOf = new Map(
      kept.slice(0, index).flatMap((layer) => layer.map(({ id }, n) => [id, n])),
    );
    const weight = ({ id }) => {
      const from = ways.filter(({ to }) => to === id).map(({ from }) => placeOf.get(from) ?? 0);
      return from.length === 0 ? 0 : from.reduce((sum, each) => sum + each, 0) / from.length;
    };
    kept[index] = kept[index].map((node) => [weight(node), node])
      .sort(([a], [b]) => a - b).map(([, node]) => node);
  }
  return kept;
}

function drawNode({ id, kind, name, type }, { x, y }, { width, height }) {
  const figure = figureOf(id, kind);
  const round = kind === "source" || kind === "sink" ? 22 : kind === "flow" ? 4 : 10;
  const most = Math.floor((width - 20) / 7.9);
  const short = name.length > most ? `${name.slice(0, most - 1)}…` : name;
  return h(
    "g",
    { class: `node ${kind} ${severityOf(id)}` },
    h("title", {}, `${kind} ${name}${type ? ` (${type})` : ""}: ${figure}`),
    h("rect", { x, y, width, height, rx: round }),
    h(
      "text",
      { x: x + 10, y: y + 15, class: "faint" },
      type && type !== name ? `${kind} · ${type}` : kind,
    ),
    h("text", { x: x + 10, y: y + 31, class: "name" }, short),
    h("text", { x: x + 10, y: y + 48 }, figure),
  );
}

/** What is told of a node in it. */
function figureOf(id, kind) {
  const { flows, sources, stores, checkpoints } = shown.snapshot;
  if (kind === "flow") {
    const { messages, rate, inFlight, oldest, ended } = flows.find((flow) => flow.id === id);
    if (ended) return `ended, ${count(messages)} done`;
    if (main.clientWidth < 640 && !(oldest?.sinceMs > 2_000)) {
      return `${perSecond(rate)}, ${count(messages)} done`;
    }
    return oldest && oldest.sinceMs > 2_000
      ? `in flight for ${lasting(oldest.sinceMs)}`
      : `${count(messages)} done${inFlight > 0 ? `, ${inFlight} in flight` : ""}`;
  }
  const source = sources.find((each) => each.id === id);
  if (source !== undefined) {
    if (source.ended) return "ended";
    if (source.pausedFor.length > 0) return "paused";
    if (source.waitsFor !== undefined) return `waits for ${lasting(source.waitsFor.sinceMs)}`;
    if (source.queue !== undefined) return `${source.queue.size} of ${source.queue.bound}`;
    return source.lag === undefined ? `${count(source.messages)} read` : `lag ${count(source.lag)}`;
  }
  const store = stores.find((each) => each.id === id && each.space === "");
  if (store !== undefined) return `${count(store.entries)} entries`;
  const found = checkpoints.find((each) => each.id === id);
  if (found === undefined) return "";
  return found.pauses ? "pauses" : found.correcting ? "corrects" : "follows";
}

/** An edge: its line, and its label, which is drawn above the nodes. */
function drawEdge({ from, to, kind, name }, at, { width, height }, tall) {
  const [a, b] = [at.get(from), at.get(to)];
  const back = tall ? b.y <= a.y : b.x <= a.x;
  const [x1, y1, x2, y2] = tall
    ? back
      ? [a.x + width * 0.8, a.y, b.x + width * 0.8, b.y + height]
      : [a.x + width / 2, a.y + height, b.x + width / 2, b.y]
    : back
    ? [a.x, a.y + height * 0.75, b.x + width, b.y + height * 0.25]
    : [a.x + width, a.y + height / 2, b.x, b.y + height / 2];
  const [bx, by] = tall ? [0, (y2 - y1) / 2] : [(x2 - x1) / 2, 0];
  const path = `M${x1} ${y1}C${x1 + bx} ${y1 + by} ${x2 - bx} ${y2 - by} ${x2} ${y2}`;
  const rate = kind === "messages" ? rateOf(from, to) : undefined;
  const text = {
    "messages": rate ?? "",
    "dependent": "pauses, corrects",
    "dead letters": deadLettersOf(from),
    "kept": "kept in",
  }[kind] ?? name ?? kind;
  // Of lines that leave a node together the labels stand where they have parted.
  const along = kind === "messages" ? 0.5 : kind === "dependent" ? 0.6 : 0.72;
  const near = (start, bend, end) => {
    const [u, v] = [1 - along, along];
    return u ** 3 * start + 3 * u * u * v * (start + bend) + 3 * u * v * v * (end - bend) +
      v ** 3 * end;
  };
  return {
    path: h(
      "g",
      {},
      h("path", {
        d: path,
        class: `edge ${kind === "dead letters" ? "letters" : kind} ${
          rate && rate !== "0/s" ? "moves" : ""
        }`,
      }),
      h("circle", { cx: x2, cy: y2, r: 3, class: "tip" }),
    ),
    label: text && !tall &&
      h("text", {
        x: near(x1, bx, x2),
        y: near(y1, by, y2) + 4,
        class: "label faint",
        "text-anchor": "middle",
      }, text),
  };
}

/** How many messages take the way from one node to another, where that is known: what a flow, or a Proxy, reads. */
function rateOf(from, to) {
  const { flows, sources } = shown.snapshot;
  const source = sources.find(({ id }) => id === from) ?? sources.find(({ id }) => id === to);
  if (source !== undefined) return perSecond(source.rate);
  const flow = flows.find(({ id }) => id === to);
  return flow && perSecond(flow.rate);
}

function deadLettersOf(id) {
  return `${count(shown.snapshot.flows.find((flow) => flow.id === id)?.deadLetters ?? 0)} dead`;
}

// Charts

const CHART = { height: 120, left: 66, right: 8, top: 8, bottom: 20 };

/**
 * A chart over the time of the clock. `lines` have values at the times of the trail; `areas` are drawn below them.
 * With the keys ← and →, or a pointer, one reads single points.
 */
function chart(
  {
    id,
    title,
    lines,
    areas = () => [],
    format,
    axis = format,
    zero = false,
    height = CHART.height,
  },
) {
  const { left, right, top, bottom } = CHART;
  const width = Math.max(240, main.clientWidth - (main.clientWidth < 640 ? 24 : 62));
  const cards = main.clientWidth > 1_080 && !id.startsWith("checkpoint");
  const wide = cards ? Math.floor((width - 40) / 2) : width;
  const { at } = trail;
  const known = lines.flatMap(({ values }) => values).filter((value) =>
    value !== null && value !== undefined
  );
  if (at.length < 2 || known.length === 0) {
    return h("figure", { id }, h("figcaption", {}, title, h("output", {}, "nothing known yet")));
  }
  const [first, last] = [at[0], at.at(-1)];
  let [low, high] = [Math.min(...known), Math.max(...known)];
  if (zero) low = Math.min(0, low);
  if (low === high) high = low + 1;
  const x = (ms) => left + (ms - first) / (last - first) * (wide - left - right);
  const y = (value) => top + (high - value) / (high - low) * (height - top - bottom);
  const path = (values) => {
    let pen = "M";
    return values.map((value, index) => {
      if (value === null || value === undefined) {
        pen = "M";
        return "";
      }
      const point = `${pen}${x(at[index]).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
      return point;
    }).join("");
  };
  const index = Math.min(cursors.get(id) ?? at.length - 1, at.length - 1);
  const now = lines.map(({ name, values }) => `${name} ${format(values[index])}`).join(", ");
  const limit = (ms) => Math.max(left, Math.min(wide - right, x(ms)));
  return h(
    "figure",
    { id },
    h(
      "figcaption",
      {},
      title,
      h("output", {}, cursors.has(id) ? `${clockFormat.format(at[index])}: ` : "", now),
    ),
    h(
      "svg",
      {
        id: `${id} drawn`,
        class: "chart",
        width: wide,
        height,
        tabindex: "0",
        role: "img",
        "aria-label":
          `${title} from ${clockFormat.format(first)} to ${clockFormat.format(last)}: ` +
          `from ${format(low)} to ${format(high)}; at ${clockFormat.format(at[index])} ${now}. ` +
          "Arrow keys read single points.",
        "data-chart": id,
        "data-left": left,
        "data-span": wide - left - right,
      },
      ticks(low, high, axis).map((value) => [
        h("line", { x1: left, x2: wide - right, y1: y(value), y2: y(value), class: "grid" }),
        h(
          "text",
          { x: left - 6, y: y(value) + 4, class: "faint", "text-anchor": "end" },
          axis(value),
        ),
      ]),
      areas({
        x: limit,
        y: (value) => Math.max(top, Math.min(height - bottom, y(value))),
        at,
        top,
        bottom: height - bottom,
      }),
      lines.map(({ name, values }) => h("path", { d: path(values), class: `line ${name}` })),
      cursors.has(id) &&
        h("line", {
          x1: x(at[index]),
          x2: x(at[index]),
          y1: top,
          y2: height - bottom,
          class: "cursor",
        }),
      h("text", { x: left, y: height - 4, class: "faint" }, clockFormat.format(first)),
      h(
        "text",
        { x: wide - right, y: height - 4, class: "faint", "text-anchor": "end" },
        clockFormat.format(last),
      ),
    ),
  );
}

const KEYS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30, Home: -1e9, End: 1e9 };

/** Puts the cursor of a chart at an index; at the newest point there is none, and it goes on with the time. */
function read(id, index) {
  const last = trail.at.length - 1;
  if (index >= last) cursors.delete(id);
  else cursors.set(id, Math.max(0, index));
  render();
}

main.addEventListener("keydown", (event) => {
  const id = event.target.dataset?.chart;
  if (id === undefined || KEYS[event.key] === undefined) return;
  event.preventDefault();
  read(id, (cursors.get(id) ?? trail.at.length - 1) + KEYS[event.key]);
});

let pointed;
main.addEventListener("pointermove", ({ target, clientX }) => {
  const chart = target.closest?.("[data-chart]");
  const { chart: id, left, span } = chart?.dataset ?? {};
  if (pointed !== undefined && pointed !== id) read(pointed, Infinity);
  pointed = id;
  if (id === undefined) return;
  const { at } = trail;
  const part = (clientX - chart.getBoundingClientRect().left - left) / span;
  const near = at.findIndex((each) => each >= at[0] + part * (at.at(-1) - at[0]));
  read(id, near < 0 ? Infinity : near);
});
main.addEventListener("pointerleave", () => {
  if (pointed !== undefined) read(pointed, Infinity);
  pointed = undefined;
});

/** The values at which lines are drawn: those whose labels differ. */
function ticks(low, high, format) {
  const values = [high, (low + high) / 2, low];
  return values.filter((value, index) =>
    values.findIndex((other) => format(other) === format(value)) === index
  );
}

/** A line of the trail. */
function line(name) {
  return trail.lines[name] ?? [];
}

// Sources

function source(
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
    : shown.snapshot.state === "streaming"
    ? ["good", "open"]
    : ["", shown.snapshot.state];
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

function figures(values) {
  return h(
    "dl",
    { class: "figures" },
    Object.entries(values).filter(([, value]) => value !== undefined).map(([name, value]) =>
      h("div", {}, h("dt", {}, name), h("dd", {}, value))
    ),
  );
}

function partitionTable(id, partitions) {
  const isHeard = partitions.some(({ heard }) => heard !== undefined);
  return h(
    "details",
    { open: true, id: `partitions ${id}` },
    h("summary", {}, `${partitions.length} partition${partitions.length === 1 ? "" : "s"}`),
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

/** A table; the last column is text, the first names the row. Where it is narrow a row becomes a card. */
function table(names, rows, classes = []) {
  return h(
    "div",
    { class: "scroll" },
    h(
      "table",
      { class: "folds" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          names.map((name, index) =>
            h("th", {
              scope: "col",
              class: index > 0 && index < names.length - 1 ? "number" : false,
            }, name)
          ),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((cells, row) =>
          h(
            "tr",
            { class: classes[row] || false },
            cells.map((cell, index) =>
              index === 0 ? h("th", { scope: "row" }, cell) : h("td", {
                "data-name": names[index] === "" ? false : names[index],
                class: index === cells.length - 1 ? "wide" : "number",
              }, cell)
            ),
          )
        ),
      ),
    ),
  );
}

// Flows, windows, stores

function flowTable() {
  const { flows } = shown.snapshot;
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

function windowTable() {
  return table(
    ["window", "open", "closed", "late", "note"],
    shown.snapshot.windows.map((
      { window, open, closed, late },
    ) => [window, count(open), count(closed), count(late), ""]),
  );
}

function commits() {
  const { commits } = shown.snapshot;
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

function storeTable() {
  const { stores } = shown.snapshot;
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

// Checkpoints

function checkpoint(each) {
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

// Events

function eventList() {
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
function eventText(event) {
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

function addEvent(at, text) {
  if (text === undefined || events[0]?.text === text) return;
  events.unshift({ at, text });
  events.length = Math.min(events.length, MOST_EVENTS);
}

// What is sent

function addToTrail({ at, state, flows, sources, checkpoints }) {
  if (state === "idle" || state === "ended") return;
  if (at <= (trail.at.at(-1) ?? 0)) return;
  const point = {};
  for (const { id, rate } of flows) point[`rate ${id}`] = rate;
  for (const { id, lag, watermark } of sources) {
    point[`lag ${id}`] = lag;
    point[`delay ${id}`] = watermark?.delayMs;
  }
  for (const { id, pulse, frontier } of checkpoints) {
    point[`pulse ${id}`] = pulse;
    point[`frontier ${id}`] = frontier;
  }
  const { lines } = trail;
  for (const name of Object.keys(point)) lines[name] ??= Array(trail.at.length).fill(null);
  trail.at.push(at);
  for (const [name, values] of Object.entries(lines)) values.push(point[name] ?? null);
  if (trail.at.length <= MOST_POINTS) return;
  trail.at.shift();
  for (const values of Object.values(lines)) values.shift();
}

/** Adds what the app has kept of the time before this page was there. */
async function loadTrail() {
  try {
    const response = await fetch("trail.json");
    if (!response.ok) return;
    const before = await response.json();
    const from = before.at.at(-1) ?? 0;
    const rest = trail.at.findIndex((at) => at > from);
    if (trail.at[0] <= before.at[0] || before.at.length === 0) return; // known already
    const later = rest < 0 ? [] : trail.at.slice(rest);
    const lines = {};
    for (const name of new Set([...Object.keys(before.lines), ...Object.keys(trail.lines)])) {
      const old = before.lines[name] ?? Array(before.at.length).fill(null);
      const own = trail.lines[name] ?? Array(trail.at.length).fill(null);
      lines[name] = [...old, ...(rest < 0 ? [] : own.slice(rest))];
    }
    trail = { at: [...before.at, ...later], lines };
    render();
  } catch { /* the connection is lost, which is told elsewhere */ }
}

function connect() {
  const source = new EventSource("status");
  source.addEventListener("open", () => {
    clearTimeout(lost);
    lost = undefined;
    connected = true;
    refused = false;
    loadTrail();
    render();
  });
  source.addEventListener("snapshot", ({ data }) => {
    shown = JSON.parse(data);
    arrivedAt = Date.now();
    addToTrail(shown.snapshot);
    render();
  });
  source.addEventListener("status", ({ data, lastEventId }) => {
    if (seen.has(lastEventId)) return;
    seen.add(lastEventId);
    const event = JSON.parse(data);
    addEvent(event.at, eventText(event));
  });
  source.addEventListener("missed", ({ data }) => {
    addEvent(
      shown?.snapshot.at ?? Date.now(),
      `${count(JSON.parse(data).events)} events were not kept`,
    );
  });
  source.addEventListener("error", async () => {
    // It ends by itself when the app has, and is open again in a second, if there is still somebody.
    lost ??= setTimeout(() => {
      connected = false;
      renderHead();
    }, 3_000);
    if (source.readyState !== EventSource.CLOSED) return; // the browser tries again
    const { status } = await fetch("snapshot.json").catch(() => ({ status: 0 }));
    refused = status === 401;
    renderHead();
    if (!refused) setTimeout(connect, 2_000);
  });
}

setInterval(renderHead, 1_000);
addEventListener("resize", render);
renderHead();
connect();
