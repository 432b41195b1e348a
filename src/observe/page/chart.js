/** Charts over the time of the clock, as SVG. */
import { h } from "./dom.js";
import { main, page } from "./state.js";
import { trail } from "./trail.js";
import { clockFormat } from "./words.js";

/** Where the cursor is in each chart, as an index. */
const cursors = new Map();

const CHART = { height: 120, left: 66, right: 8, top: 8, bottom: 20 };

/**
 * A chart over the time of the clock. `lines` have values at the times of the trail; `areas` are drawn below them.
 * With the keys ← and →, or a pointer, one reads single points.
 */
export function chart(
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
  page.render();
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
