/** The layers of `src/`, and which of them may import which (ARCHITECTURE.md shows the picture). */

/** A layer of `src/`; `interfaces` are the files of `flow` that sources, sinks and stores implement. */
export type Layer =
  | "base"
  | "interfaces"
  | "flow"
  | "app"
  | "checkpoint"
  | "windows"
  | "cache"
  | "codecs"
  | "kafka"
  | "connector"
  | "observe"
  | "testing";

const interfaces = [
  "run/attribution.ts",
  "run/current.ts",
  "run/pending.ts",
  "source/ack_tracker.ts",
  "source/feed.ts",
  "source/gate.ts",
  "source/host.ts",
  "source/receipt.ts",
  "stage/aggregation.ts",
  "state/state.ts",
];
const app = ["app.ts", "convert.ts", "handle.ts", "handle_options.ts", "policies.ts"];
const folders = [
  "flow",
  "checkpoint",
  "windows",
  "cache",
  "codecs",
  "kafka",
  "connector",
  "observe",
  "testing",
];

const mayImport: Record<Layer, readonly Layer[]> = {
  base: [],
  interfaces: ["base"],
  flow: ["interfaces", "base"],
  app: ["flow", "interfaces", "base"],
  checkpoint: ["flow", "cache", "interfaces", "base"],
  windows: ["flow", "cache", "interfaces", "base"],
  cache: ["interfaces", "base"],
  codecs: ["interfaces", "base"],
  kafka: ["codecs", "interfaces", "base"],
  connector: ["flow", "kafka", "interfaces", "base"],
  observe: ["app", "flow", "base"],
  testing: ["app", "flow", "checkpoint", "cache", "codecs", "kafka", "interfaces", "base"],
};

/** What may be imported beyond that by `import type`, which loads nothing: the signatures of the public API, and what is told. */
const mayName: Partial<Record<Layer, readonly Layer[]>> = {
  interfaces: ["flow"],
  app: ["kafka"],
  observe: ["checkpoint", "kafka"],
};

/** Returns the layer of a file, given by its path below `src/`: `"flow/source/hub.ts"`. */
export function layerOf(path: string): Layer {
  const [first, ...rest] = path.split("/");
  if (rest.length === 0) return app.includes(path) ? "app" : "base";
  if (first === "flow" && interfaces.includes(rest.join("/"))) return "interfaces";
  if (folders.includes(first!)) return first as Layer;
  throw new RangeError(`Cannot tell the layer of "src/${path}": add its folder to layers.ts`);
}

/** Returns the module that an inline type names: `import("./app.ts").App`. */
export function moduleOfType({ argument }: Deno.lint.TSImportType): unknown {
  if (argument.type !== "TSLiteralType" || argument.literal.type !== "Literal") return undefined;
  return argument.literal.value;
}

/** Returns whether a file of `from` may import a file of `to`; `typesOnly` for `import type`. */
export function allows(from: Layer, to: Layer, typesOnly = false): boolean {
  return from === to || mayImport[from].includes(to) ||
    typesOnly && (mayName[from]?.includes(to) ?? false);
}

/** Returns the path of a file below `src/`, or undefined when it is not there: `…/src/flow/source/hub.ts` → `flow/source/hub.ts`. */
export function pathInSource(filename: string): string | undefined {
  return /(?:^|[/\\])src[/\\](.+)$/.exec(filename)?.[1]?.replaceAll("\\", "/");
}
