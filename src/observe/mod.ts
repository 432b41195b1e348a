/**
 * Shows a running app: probes for an orchestrator, metrics for Prometheus, and a dashboard.
 *
 * @example
 * ```ts
 * import { App } from "@slipstream/slipstream";
 * import { observe } from "@slipstream/slipstream/observe";
 *
 * const app = new App();
 * app.handle([1, 2, 3], (n) => console.log(n), { name: "print" });
 * await using server = observe(app, { port: 0 });
 * console.log(`Look at ${server.url}`);
 * await app.stream();
 * ```
 *
 * @module
 */
export { observe, type ObserveOptions, type ObserveServer } from "./observe.ts";
export { type Observer, observer, type ObserverOptions } from "./observer.ts";
export { toMermaid } from "./mermaid.ts";
export type { App } from "../app.ts";
export type { Clock } from "../clock.ts";
export type { Duration } from "../duration.ts";
export type { EdgeKind, NodeKind, Topology, TopologyEdge, TopologyNode } from "../topology.ts";
