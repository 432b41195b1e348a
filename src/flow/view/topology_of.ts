import type { EdgeKind, NodeKind, Topology, TopologyEdge, TopologyNode } from "../../topology.ts";
import { queueOf } from "../proxy/proxy.ts";
import { type Binding, sourceName } from "../run/binding.ts";
import { openStores, storeOf } from "../source/feed.ts";
import { gateOf } from "../source/gate.ts";
import type { Companion } from "../source/host.ts";
import { deadLetterSink } from "../stage/recovery.ts";
import type { OnError } from "../stage/error_policy.ts";

/** The topology of an app, and which node stands for what. */
export interface Mapped {
  /** The graph. */
  readonly topology: Topology;
  /** The nodes of the sources of each flow, in the order of the bindings. */
  readonly sources: readonly (readonly string[])[];
  /** The nodes of the flows, in the order of their bindings. */
  readonly flows: readonly string[];
  /** The nodes of the checkpoints. */
  readonly checkpoints: ReadonlyMap<Companion, string>;
  /** The nodes of the windows, by the places of their flows. */
  readonly windows: ReadonlyMap<number, string>;
  /** Returns the node of a source, a sink or a store. */
  idOf(thing: unknown): string | undefined;
}

/** Returns what `bindings` are made of. */
export function topologyOf(bindings: readonly Binding[], onError: OnError): Mapped {
  const graph = new Graph();
  const companions = new Set<Companion>();
  const sources = bindings.map((binding) =>
    binding.sources.map((source) => {
      const thing = typeof source === "string" ? Symbol(source) : source; // equal strings are several sources
      const kind = queueOf(source) === undefined ? "source" : "proxy";
      const id = graph.add(kind, sourceName(source), thing, typeOf(source));
      for (const companion of gateOf(source).companions) companions.add(companion);
      return id;
    })
  );
  const windows = new Map<number, string>();
  const flows = bindings.map((binding, index) =>
    addFlow(graph, binding, sources[index]!, onError, (id) => windows.set(index, id))
  );
  const checkpoints = new Map<Companion, string>();
  for (const companion of companions) {
    const view = companion.look?.();
    if (view === undefined) continue;
    const id = graph.add("checkpoint", view.snapshot.checkpoint, companion);
    checkpoints.set(companion, id);
    for (const { snapshot: { dependency }, source } of view.dependencies) {
      graph.connect(graph.idOf(source) ?? addSource(graph, source), id, "dependency", dependency);
    }
    const { dependent } = view;
    graph.connect(id, graph.idOf(dependent) ?? addSource(graph, dependent), "dependent");
    if (view.kept !== undefined) graph.connect(id, graph.addStore(view.kept), "kept");
  }
  const { nodes, edges } = graph;
  const topology = { nodes, edges };
  return { topology, sources, flows, checkpoints, windows, idOf: (it) => graph.idOf(it) };
}

/** A source that no flow reads, and a checkpoint names. */
function addSource(graph: Graph, source: object): string {
  return graph.add("source", sourceName(source), source, typeOf(source));
}

function addFlow(
  graph: Graph,
  binding: Binding,
  sources: readonly string[],
  defaultOnError: OnError,
  addWindow: (id: string) => void,
): string {
  const { name, pipes, sinks, state, onError = defaultOnError } = binding;
  let before = sources;
  for (const pipe of pipes) {
    const id = graph.add("pipe", pipeName(pipe), Symbol(name));
    if (windowOf(pipe) !== undefined) addWindow(id);
    for (const each of before) graph.connect(each, id, "messages");
    before = [id];
  }
  const flow = graph.add("flow", name, Symbol(name));
  for (const each of before) graph.connect(each, flow, "messages");
  for (const [index, sink] of sinks.entries()) {
    graph.connect(flow, graph.addSink(sink, `sink ${index + 1} of ${name}`), "messages");
  }
  const letters = deadLetterSink(onError);
  if (letters !== undefined) {
    graph.connect(flow, graph.addSink(letters, "dead letters"), "dead letters");
  }
  if (state !== undefined) {
    const store = [...openStores].find((each) => each.state === state) ?? state;
    graph.connect(flow, graph.addStore(store), "state");
  }
  return flow;
}

class Graph {
  readonly nodes: TopologyNode[] = [];
  readonly edges: TopologyEdge[] = [];
  readonly #ids = new Map<unknown, string>();
  readonly #taken = new Set<string>();

  idOf(thing: unknown): string | undefined {
    return this.#ids.get((thing as { [storeOf]?: object } | null | undefined)?.[storeOf] ?? thing);
  }

  add(kind: NodeKind, name: string, thing: unknown, type?: string): string {
    const known = this.#ids.get(thing);
    if (known !== undefined) return known;
    let id = `${kind}:${name}`;
    for (let number = 2; this.#taken.has(id); number++) id = `${kind}:${name}#${number}`;
    this.#taken.add(id);
    this.#ids.set(thing, id);
    this.nodes.push({ id, kind, name, ...(type !== undefined && { type }) });
    return id;
  }

  addStore(store: object): string {
    return this.add("store", (store as { name?: string }).name ?? "a store", store);
  }

  addSink(sink: unknown, fallback: string): string {
    const known = this.idOf(sink);
    if (known !== undefined) return known;
    const store = (sink as { [storeOf]?: object })[storeOf];
    if (store !== undefined) return this.addStore(store);
    if (queueOf(sink) !== undefined) return this.add("proxy", "Proxy", sink, "Proxy");
    const { name } = sink as { name?: unknown };
    const type = typeOf(sink);
    const isNamed = typeof name === "string" && name !== "" && name !== "sink" &&
      name !== "deadLetter";
    return this.add("sink", isNamed ? name : type ?? fallback, sink, type);
  }

  connect(from: string, to: string, kind: EdgeKind, name?: string): void {
    const twin = this.edges.some((edge) =>
      edge.from === from && edge.to === to && edge.kind === kind && edge.name === name
    );
    if (!twin) this.edges.push({ from, to, kind, ...(name !== undefined && { name }) });
  }
}

/** The class of a source or a sink; undefined for what says nothing: functions and plain objects. */
function typeOf(thing: unknown): string | undefined {
  if (typeof thing === "string") return "string";
  if (typeof thing !== "object" || thing === null) return undefined;
  const { name } = thing.constructor ?? {};
  return name === undefined || name === "" || name === "Object" ? undefined : name;
}

function windowOf(pipe: unknown): string | undefined {
  return (pipe as { ticks?: string }).ticks;
}

function pipeName(pipe: unknown): string {
  const { name } = pipe as { name?: unknown };
  if (typeof name === "string" && name !== "") return name;
  const window = windowOf(pipe);
  if (window !== undefined) return `${window}()`;
  return typeOf(pipe) ?? "pipe";
}
