/** What a node of a topology stands for. */
export type NodeKind = "source" | "proxy" | "pipe" | "flow" | "sink" | "store" | "checkpoint";

/** A node of a topology. */
export interface TopologyNode {
  /** Unique in the topology, and the same as long as the same flows are bound in the same order. */
  readonly id: string;
  /** What it stands for. */
  readonly kind: NodeKind;
  /** Its name, or what it is in words. */
  readonly name: string;
  /** For a source or a sink of a class: the class, for instance `Topic`. */
  readonly type?: string;
}

/**
 * What an edge of a topology stands for: messages go this way; messages that failed do; a flow keeps its state in a
 * store; a checkpoint follows a stream; a checkpoint is for a stream, which it may pause and correct; a checkpoint is
 * kept in a store.
 */
export type EdgeKind = "messages" | "dead letters" | "state" | "dependency" | "dependent" | "kept";

/** An edge of a topology. */
export interface TopologyEdge {
  /** The id of the node where it begins. */
  readonly from: string;
  /** The id of the node where it ends. */
  readonly to: string;
  /** What it stands for. */
  readonly kind: EdgeKind;
  /** The name of the dependency, where it is one. */
  readonly name?: string;
}

/** What an app is made of, as plain data: a graph of sources, pipes, flows, sinks, stores and checkpoints. */
export interface Topology {
  /** The nodes. */
  readonly nodes: readonly TopologyNode[];
  /** The edges. */
  readonly edges: readonly TopologyEdge[];
}
