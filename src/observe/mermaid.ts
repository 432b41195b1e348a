import type { EdgeKind, NodeKind, Topology } from "../topology.ts";

/** How a node of a kind is drawn: what stands before and after its text. */
const SHAPES: Readonly<Record<NodeKind, readonly [string, string]>> = {
  source: ["([", "])"],
  proxy: ["[[", "]]"],
  pipe: [">", "]"],
  flow: ["[", "]"],
  sink: ["([", "])"],
  store: ["[(", ")]"],
  checkpoint: ["{{", "}}"],
};

/** How an edge of a kind is drawn, and what is written at it. */
const ARROWS: Readonly<Record<EdgeKind, readonly [arrow: string, text: string]>> = {
  "messages": ["-->", ""],
  "dead letters": ["-.->", "dead letters"],
  "state": ["<-->", "state"],
  "dependency": ["-.->", "depends on"],
  "dependent": ["==>", "pauses, corrects"],
  "kept": ["-.->", "kept in"],
};

/**
 * Returns a topology as a flowchart of [Mermaid](https://mermaid.js.org), which GitHub and many editors draw.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App } from "@slipstream/slipstream";
 * import { toMermaid } from "@slipstream/slipstream/observe";
 *
 * const app = new App();
 * app.handle("ab", () => {}, { name: "count" });
 * assertEquals(
 *   toMermaid(app.topology()),
 *   `flowchart LR
 *   n0(["a string"])
 *   n1["count"]
 *   n0 --> n1
 * `,
 * );
 * ```
 */
export function toMermaid({ nodes, edges }: Topology): string {
  const names = new Map(nodes.map(({ id }, index) => [id, `n${index}`]));
  const lines = nodes.map(({ id, kind, name }) => {
    const [before, after] = SHAPES[kind];
    return `  ${names.get(id)}${before}${quoted(name)}${after}`;
  });
  for (const { from, to, kind, name } of edges) {
    const [arrow, text] = ARROWS[kind];
    const label = name ?? text;
    const written = label === "" ? "" : `|${quoted(label)}|`;
    lines.push(`  ${names.get(from)} ${arrow}${written} ${names.get(to)}`);
  }
  return ["flowchart LR", ...lines, ""].join("\n");
}

/** A text as Mermaid reads it between quotes: it has codes of characters for what would mean something. */
function quoted(text: string): string {
  const safe = text.replaceAll(
    /[^\p{L}\p{N}\p{Extended_Pictographic} .,:/()_+-]/gu,
    (each) => `#${each.codePointAt(0)};`,
  );
  return `"${safe}"`;
}
