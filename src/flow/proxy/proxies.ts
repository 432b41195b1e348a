import type { Clock } from "../../clock.ts";
import { runDetached } from "../run/current.ts";
import type { Hub } from "../source/hub.ts";
import { queueOf } from "./proxy.ts";
import { finished, type LiveFlow } from "./proxy_completion.ts";
import type { ProxyQueue } from "./proxy_queue.ts";

/** The Proxies of one run: who reads and writes them, and their end. */
export class Proxies {
  /** All, with the hub of those that are read. */
  readonly #hubs = new Map<ProxyQueue<unknown>, Hub<unknown> | undefined>();
  /** Those that some flow writes to. */
  readonly #written = new Set<ProxyQueue<unknown>>();
  readonly #flows: readonly LiveFlow[];
  readonly #host: { readonly clock: Clock; readonly stopping: AbortSignal };
  #checking = false;

  /** `flows` are those of the run, also those that come later. */
  constructor(
    flows: readonly LiveFlow[],
    host: { readonly clock: Clock; readonly stopping: AbortSignal },
  ) {
    this.#flows = flows;
    this.#host = host;
  }

  /** Adds one, and the hub that reads it. */
  add(queue: ProxyQueue<unknown>, hub?: Hub<unknown>): void {
    queue.begin();
    queue.onIdle = this.endSoon;
    this.#hubs.set(queue, hub);
  }

  /** Adds those among the sinks of a flow, and returns them. */
  write(sinks: readonly unknown[]): ProxyQueue<unknown>[] {
    const queues = sinks.map(queueOf).filter((queue) => queue !== undefined);
    for (const queue of queues) {
      this.#written.add(queue);
      if (!this.#hubs.has(queue)) this.add(queue);
    }
    return queues;
  }

  /** The app stops: code outside of flows sends nothing more. */
  stop(): void {
    for (const [queue, hub] of this.#hubs) {
      queue.writers.clear();
      if (hub === undefined) queue.end();
      else if (!this.#written.has(queue)) queue.drain();
    }
    this.endSoon();
  }

  /** Ends those that nothing can come to any more, once what runs now has run. */
  readonly endSoon = (): void => {
    if (this.#checking || this.#hubs.size === 0) return;
    this.#checking = true;
    const { clock } = this.#host;
    runDetached(() =>
      clock.macrotask(() => {
        this.#checking = false;
        this.#endFinished();
      })
    );
  };

  #endFinished(): void {
    const flows = this.#flows;
    // Until the app stops code outside may send to a Proxy that no flow writes to; then only flows may.
    const sentTo = this.#host.stopping.aborted
      ? [...this.#hubs.keys()].filter((queue) => !this.#written.has(queue))
      : [];
    const writing = flows.map((flow) => ({ ...flow, writes: [...flow.writes, ...sentTo] }));
    const done = finished(sentTo.length === 0 ? flows : writing, this.#hubs);
    // What their readers hold back may still come to one of them: first it is passed on.
    const holders = done.flatMap((queue) => queue.readers).flatMap((flowRun) => flowRun.holders);
    if (holders.filter((passOn) => passOn()).length > 0) return this.endSoon();
    for (const queue of done) queue.end();
  }

  /** The run is over: forgets what is in those that nobody reads. */
  close(): void {
    for (const queue of this.#hubs.keys()) if (queue.readers.length === 0) queue.cancel();
  }
}
