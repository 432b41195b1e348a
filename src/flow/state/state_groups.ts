import type { Branch } from "../source/branches.ts";
import type { Hub } from "../source/hub.ts";
import { ProxyQueue } from "../proxy/proxy_queue.ts";
import { RootSource } from "./root_source.ts";
import type { StateStore } from "./state.ts";
import { type GroupHost, StateGroup } from "./state_group.ts";

/** The stores that hold the positions of flows in one run, each with its flows. */
export class StateGroups {
  readonly all: StateGroup[] = [];
  readonly #byStore = new Map<StateStore, StateGroup>();
  readonly #host: GroupHost;

  constructor(host: GroupHost) {
    this.#host = host;
  }

  /** Has the store hold the positions of a flow at one of its sources; `hubs` are those opened so far. */
  add(
    flow: string,
    store: StateStore,
    branch: Branch<unknown>,
    hub: Hub<unknown>,
    hubs: Iterable<Hub<unknown>>,
  ): void {
    if (hub.feed instanceof ProxyQueue) return; // its messages belong to those that they were made from
    if (hub.feed.resumeBy === undefined) {
      throw new TypeError(
        `Cannot keep exact state of flow "${flow}": its source (${hub.name}) cannot begin at a position; ` +
          "read a Topic, or a source made by replayable()",
      );
    }
    let group = this.#byStore.get(store);
    if (group === undefined) {
      group = new StateGroup(store, this.#host);
      this.#byStore.set(store, group);
      this.all.push(group);
    }
    if (hub.root === undefined) hub.feed.resumeBy(hub.root = new RootSource(hub));
    const twin = [...hubs].find((other) => other !== hub && other.root?.name === hub.name);
    if (twin !== undefined) {
      throw new TypeError(
        `Cannot keep exact state of flow "${flow}": two sources are named "${hub.name}"; ` +
          "let the flows read one object, or give a replayable() another name; a Topic in two groups needs two Apps " +
          "with a cache each",
      );
    }
    hub.root.add(group, flow, branch);
    hub.gate.stores.set(store, flow);
  }

  /**
   * Has the messages of flows with state counted one by one, since several are handled at the same time.
   *
   * @param stall True where a cut must be of one instant all the same.
   */
  countMessages(hubs: Iterable<Hub<unknown>>, stall: boolean): void {
    for (const { root, lookAhead } of hubs) {
      if (root === undefined) continue;
      if (root.stores > 1) {
        throw new TypeError(
          `Cannot keep exact state of the flows of source "${root.name}" in several caches while messages are ` +
            "handled concurrently: give them spaces of one cache",
        );
      }
      root.perMessage = true;
      root.repeats = lookAhead !== undefined;
    }
    for (const group of this.all) group.stalls = stall;
  }

  /** The run is over. */
  end(): void {
    for (const group of this.all) group.end();
  }
}
