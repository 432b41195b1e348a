import type { WindowCounts } from "../../snapshot.ts";
import type { StatusEvent } from "../../status.ts";
import type { FlowRun } from "../run/flow_run.ts";
import type { Feed } from "../source/feed.ts";
import type { Branch } from "../source/branches.ts";
import type { Hub } from "../source/hub.ts";
import type { MergeLine } from "../source/merge.ts";
import type { Receipt } from "../source/receipt.ts";
import type { Ticker } from "../source/ticker.ts";
import type { Maybe } from "../stage/stage.ts";
import type { TickingSource } from "../stage/ticking.ts";
import { ProxyQueue } from "./proxy_queue.ts";

/**
 * The source before the Proxies, as the flow behind them sees it: it is read to its end when nothing is on its way any
 * more.
 */
export class SourceOfProxies implements TickingSource {
  readonly hub: Hub<unknown>;
  /** The hubs of the Proxies. */
  readonly #proxies: readonly Hub<unknown>[];

  constructor(hub: Hub<unknown>, proxies: readonly Hub<unknown>[]) {
    this.hub = hub;
    this.#proxies = proxies;
  }

  get name(): string {
    return this.hub.name;
  }

  get feed(): Feed<unknown> {
    return this.hub.feed;
  }

  /** True while a Proxy on the way is paused. */
  get closed(): boolean {
    return this.#proxies.some(({ gate }) => gate.closed);
  }

  /** True when everything that was handed out is done: each flow on the way waits for a message. */
  get idle(): boolean {
    return this.queues.every((queue) => queue.idle);
  }

  get queues(): readonly ProxyQueue<unknown>[] {
    return this.#proxies.map(({ feed }) => feed).filter((feed) => feed instanceof ProxyQueue);
  }

  get exhausted(): boolean {
    return this.hub.tickers.exhausted && this.idle;
  }

  silence(partition: number): number {
    return this.hub.tickers.silence(partition);
  }

  isReadToItsEnd(partition: number): boolean {
    return this.idle && this.hub.tickers.isReadToItsEnd(partition);
  }

  /** Calls `wake` when the Proxies that are paused are not any more. */
  wait(wake: () => void): void {
    for (const { gate } of this.#proxies) if (gate.closed) gate.wait(wake);
  }
}

/**
 * Has the source before the Proxies do the work of a flow behind them: what belongs to no message is a part of a cut
 * like a message of that source, and where too much waits, that source begins no more.
 *
 * - It is done in line with the messages of the flow.
 * - The end comes when nothing is on its way any more.
 *
 * @param branch Stands for the flow at that source.
 */
export function addProxiedTicker(
  ticker: Ticker,
  branch: Branch<unknown>,
  source: SourceOfProxies,
  line: MergeLine,
): void {
  const { tickers } = source.hub;
  const added = new ProxiedTicker(ticker, branch.flowRun, source, line);
  tickers.add(branch, added);
  const settled = tickers.countSilenceUnless(() => !source.idle);
  for (const queue of source.queues) {
    queue.onIdleToo.add(() => {
      settled();
      added.settled();
    });
  }
}

class ProxiedTicker implements Ticker {
  wake: () => void = () => {};
  readonly #ticker: Ticker;
  readonly #flowRun: FlowRun;
  readonly #source: SourceOfProxies;
  readonly #line: MergeLine;
  readonly #wake = () => this.wake();
  /** The source has ended, and something is on its way still. */
  #ending = false;

  constructor(
    ticker: Ticker,
    flowRun: FlowRun,
    source: SourceOfProxies,
    line: MergeLine,
  ) {
    this.#ticker = ticker;
    this.#flowRun = flowRun;
    this.#source = source;
    this.#line = line;
    ticker.wake = this.#wake;
  }

  get due(): boolean {
    if (!this.#ticker.due) return false;
    if (!this.#source.closed) return true;
    this.#source.wait(this.#wake);
    return false;
  }

  get full(): boolean {
    return this.#ticker.full;
  }

  get busy(): boolean {
    return this.#ticker.busy;
  }

  get pending(): boolean {
    return this.#ending || this.#ticker.pending;
  }

  tick(receipt: Receipt | undefined): Maybe {
    return this.#line.run(() => {
      const { context: { stopping } } = this.#flowRun;
      this.#flowRun.goOn();
      if (this.#ticker.due && !stopping.aborted) return this.#ticker.tick(receipt);
    });
  }

  ended(): void {
    this.#ending = true;
    this.settled();
  }

  /** Something that was on its way is done. */
  settled(): void {
    if (this.#ending && this.#source.idle) {
      this.#ending = false;
      this.#ticker.ended();
      this.wake();
    } else if (this.#ticker.due) this.wake();
  }

  looked(): void {
    this.#ticker.looked();
  }

  tell(status: (event: StatusEvent) => void): void {
    this.#ticker.tell(status);
  }

  look(): WindowCounts {
    return this.#ticker.look();
  }
}
