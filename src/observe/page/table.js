/** Sections, figures and tables. */
import { h } from "./dom.js";

export function section(id, title, ...content) {
  return h(
    "section",
    { id, "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, title),
    content,
  );
}

export function figures(values) {
  return h(
    "dl",
    { class: "figures" },
    Object.entries(values).filter(([, value]) => value !== undefined).map(([name, value]) =>
      h("div", {}, h("dt", {}, name), h("dd", {}, value))
    ),
  );
}

/** A table; the last column is text, the first names the row. Where it is narrow a row becomes a card. */
export function table(names, rows, classes = []) {
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
