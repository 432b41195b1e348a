import { SourceError } from "../../errors.ts";
import type { StatusEvent } from "../../status.ts";
import { sourceName } from "../run/binding.ts";
import { runDetached } from "../run/current.ts";
import type { Proxies } from "../proxy/proxies.ts";
import { queueOf } from "../proxy/proxy.ts";
import { ProxyQueue } from "../proxy/proxy_queue.ts";
import { feedOf, isFeedSource } from "./adapters.ts";
import type { Feed } from "./feed.ts";
import { gateOf } from "./gate.ts";
import type { Host } from "./host.ts";
import { Hub, type HubHost } from "./hub.ts";

/** What opening a source needs to know of the run. */
export interface SourcesHost extends Host, HubHost {
  /** Why the run was stopped, if whoever did so has said it. */
  readonly reason: unknown;
  readonly status: ((event: StatusEvent) => void) | undefined;
}

/** The sources of one run: each is opened once, whichever flows share it, and closed once. */
export class Sources {
  readonly hubs: Set<Hub<unknown>> = new Set();
  readonly #host: SourcesHost;
  readonly #proxies: Proxies;
  /** The hubs by their sources; strings are values and have none. */
  readonly #bySource = new Map<unknown, Hub<unknown>>();
  readonly #cancelled = new Map<Hub<unknown>, Promise<void>>();
  readonly #unobserve = new Map<Hub<unknown>, () => void>();

  constructor(host: SourcesHost, proxies: Proxies) {
    this.#host = host;
    this.#proxies = proxies;
  }

  /** Returns the hub of a source, which is opened for `flow` when no other flow has done so. */
  open(source: unknown, flow: string): Hub<unknown> {
    const known = this.#bySource.get(source);
    if (known !== undefined) return known;
    const host = this.#host;
    const name = sourceName(source);
    const gate = gateOf(source);
    let feed: Feed<unknown>;
    try {
      feed = feedOf(source, host, gate);
    } catch (error) {
      throw new SourceError({ flow, source: name }, error);
    }
    const positioned = isFeedSource(source) && source.positioned !== false &&
      !(feed instanceof ProxyQueue);
    const hub = new Hub(name, feed, gate, host, positioned);
    this.hubs.add(hub);
    if (typeof source !== "string") this.#bySource.set(source, hub);
    const queue = queueOf(source);
    if (queue !== undefined) this.#proxies.add(queue, hub);
    gate.attach(feed);
    let told = gate.reasons;
    const tell = () => {
      const { reasons } = gate;
      if (isSame(reasons, told)) return; // a partition, or a guard, has changed
      told = reasons;
      host.status?.({ type: "gate", source: name, reasons });
    };
    this.#unobserve.set(hub, gate.observe(tell));
    return hub;
  }

  /** Returns whether the messages of a source are acknowledged by position, as far as is known now. */
  isPositioned(source: unknown): boolean {
    const hub = this.#bySource.get(source);
    if (!hub?.positioned) return false;
    return hub.feed.snapshot !== undefined || hub.feed.resumeBy !== undefined;
  }

  /** Has all hand out nothing more but the Proxies, which end with those who write to them. */
  stop(): void {
    for (const hub of this.hubs) if (!(hub.feed instanceof ProxyQueue)) hub.stop();
  }

  /** Closes a source that has ended, unless its positions are still to be committed. */
  release(hub: Hub<unknown>): void {
    if (hub.feed.snapshot === undefined) this.#cancel(hub);
  }

  /** Closes all. */
  async close(): Promise<void> {
    for (const hub of this.hubs) this.#cancel(hub);
    await Promise.all(this.#cancelled.values());
  }

  #cancel(hub: Hub<unknown>): void {
    if (this.#cancelled.has(hub)) return;
    hub.gate.attach(undefined);
    this.#unobserve.get(hub)?.();
    const cancel = async () => {
      try {
        await hub.feed.cancel(this.#host.reason);
      } catch (error) {
        this.#host.fail(hub.error(error));
      }
    };
    this.#cancelled.set(hub, runDetached(cancel));
  }
}

/** Returns whether a gate has the same reasons, in the order in which they came. */
function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((each, index) => each === others[index]);
}
