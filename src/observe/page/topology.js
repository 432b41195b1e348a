/** The topology, drawn, and as text. */
import { h } from "./dom.js";
import { main, page } from "./state.js";
import { count, lasting, perSecond } from "./words.js";

/** The size of a node, and how much there is at least between two layers. */
const BOX = { width: 168, height: 56 };
const LEAST_GAP = 64;

export function graph({ nodes, edges }) {
  const room = main.clientWidth - (main.clientWidth < 640 ? 24 : 34);
  const tall = room < 640;
  // Where it is narrow, the graph runs down the page, with so many nodes beside each other as there is room for.
  const perRow = Math.max(1, Math.floor((room + 12) / 162));
  const layers = tall
    ? layersOf(nodes, edges).flatMap((layer) => rowsOf(layer, perRow))
    : layersOf(nodes, edges);
  const ways = Math.max(1, layers.length - 1);
  const fitting = Math.floor((room - 8 - ways * LEAST_GAP) / layers.length);
  const box = {
    width: tall ? 150 : Math.max(130, Math.min(BOX.width, fitting)),
    height: BOX.height,
  };
  const spare = (room - 8 - layers.length * box.width) / ways;
  const gap = tall
    ? { along: 44, across: 12 }
    : { along: Math.max(LEAST_GAP, Math.min(220, spare)), across: 20 };
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
  const drawn = edges.map((edge) => drawEdge(edge, at, box, tall, gap.along));
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
  const { flows, sources, stores, checkpoints } = page.shown.snapshot;
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
  const spaces = stores.filter((each) => each.id === id);
  if (spaces.length > 0) {
    const known = spaces.every(({ entries }) => entries !== undefined);
    const entries = spaces.reduce((sum, each) => sum + each.entries, 0);
    return known ? `${count(entries)} ${entries === 1 ? "entry" : "entries"}` : "";
  }
  const found = checkpoints.find((each) => each.id === id);
  if (found === undefined) return "";
  if (found.pauses) return "pauses";
  if (found.dependencies.some(({ down }) => down)) return "goes on without";
  return found.correcting ? "corrects" : "follows";
}

/** An edge: its line, and its label, which is drawn above the nodes. */
function drawEdge({ from, to, kind, name }, at, { width, height }, tall, gap) {
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
    "state": "", // it looks as it does
  }[kind] ?? name ?? kind;
  const near = (part, start, bend, end) => {
    const [u, v] = [1 - part, part];
    return u ** 3 * start + 3 * u * u * v * (start + bend) + 3 * u * v * v * (end - bend) +
      v ** 3 * end;
  };
  // Of lines that leave a node together the labels stand where they have parted, and of long ones beside no other node.
  let along = kind === "messages" ? 0.5 : kind === "dependent" ? 0.6 : 0.72;
  while (x2 - x1 > gap * 1.5 && along < 0.98 && near(along, x1, bx, x2) < x2 - gap * 0.75) {
    along += 0.02;
  }
  return {
    path: h(
      "g",
      {},
      h("path", {
        d: path,
        class: `edge ${kind === "dead letters" ? "letters" : kind} ${
          rate && !rate.startsWith("0/s") ? "moves" : ""
        }`,
      }),
      h("circle", { cx: x2, cy: y2, r: 3, class: "tip" }),
    ),
    label: text && !tall &&
      h("text", {
        x: near(along, x1, bx, x2),
        y: near(along, y1, by, y2) + 4,
        class: "label faint",
        "text-anchor": "middle",
      }, text),
  };
}

/** How many messages take the way from one node to another, and wait there, where that is known: of what is read. */
function rateOf(from, to) {
  const { flows, sources } = page.shown.snapshot;
  const source = sources.find(({ id }) => id === from) ?? sources.find(({ id }) => id === to);
  if (source !== undefined) {
    return perSecond(source.rate) + (source.lag > 0 ? `, lag ${count(source.lag)}` : "");
  }
  const flow = flows.find(({ id }) => id === to);
  return flow && perSecond(flow.rate);
}

function deadLettersOf(id) {
  const { deadLetters = 0 } = page.shown.snapshot.flows.find((flow) => flow.id === id) ?? {};
  return deadLetters === 0 ? "" : `${count(deadLetters)} dead`;
}

/** Which problem a node has. */
export function severityOf(id) {
  const own = page.shown.problems.filter((problem) => problem.id === id).map(({ severity }) =>
    severity
  );
  return own.includes("bad") ? "bad" : own.includes("warn") ? "warn" : "";
}
