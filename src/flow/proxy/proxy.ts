import { number, readOptions, type Rules } from "../../options.ts";
import { asPart } from "../run/attribution.ts";
import {
  type Feed,
  type FeedSource,
  openFeed,
  openSink,
  type SinkPort,
  type SinkTarget,
} from "../source/feed.ts";
import { ProxyQueue } from "./proxy_queue.ts";

/** Options of a {@linkcode Proxy}. */
export interface ProxyOptions {
  /**
   * How many values may wait to be read; at that number, writers wait.
   *
   * @default {256}
   */
  bound?: number | undefined;
}

const RULES = { bound: number({ least: 1, integer: true }) } as const satisfies Rules<ProxyOptions>;

/** Keeps a Proxy open for code outside of flows; see {@linkcode Proxy.writer}. */
export interface ProxyWriter<T> extends Disposable {
  /** Sends a value; see {@linkcode Proxy.send}. */
  send(value: T): Promise<void>;
  /** Lets the Proxy end. */
  close(): void;
}

const queues = new WeakMap<object, ProxyQueue<unknown>>();

/**
 * Passes values between flows: a sink for some and a source for others. The name shadows JavaScript's own `Proxy`
 * where it is imported.
 *
 * - Bounded: a flow that writes to a full Proxy waits until half of it has been read.
 * - A message is acknowledged only when the flows behind the Proxy are done with everything made from it.
 * - Ends when every flow that writes to it has ended and nothing more can come, also in a cycle of
 *   flows. A flow writes to what its `sink` names: for a handler that sends by itself, name the Proxies there,
 *   too. One that no flow writes to ends when its last {@linkcode Proxy.writer} is closed, by
 *   {@linkcode Proxy.close}, or when the app stops; until then `stream()` goes on.
 * - A value that user code sends belongs to the message for which it is sent, in flows whose messages are
 *   acknowledged; elsewhere, and once that message is done, unawaited sends are the caller's responsibility.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App, Proxy } from "@slipstream/slipstream";
 *
 * const app = new App();
 * const shouts = new Proxy<string>();
 * const heard: string[] = [];
 * app.handle(["a", "b"], (letter) => letter.toUpperCase(), { sink: shouts });
 * app.handle(shouts, (shout) => shout + "!", { sink: (shout) => heard.push(shout) });
 * await app.stream();
 * assertEquals(heard, ["A!", "B!"]);
 * ```
 *
 * @example A router: `sink` names the Proxies that the handler sends to, so that they end with it
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App, Proxy } from "@slipstream/slipstream";
 *
 * const app = new App();
 * const [odd, even] = [new Proxy<number>(), new Proxy<number>()];
 * const seen: string[] = [];
 * app.handle([1, 2, 3], async (n) => {
 *   await (n % 2 === 0 ? even : odd).send(n);
 * }, { sink: [odd, even] });
 * app.handle(odd, (n) => void seen.push(`odd ${n}`));
 * app.handle(even, (n) => void seen.push(`even ${n}`));
 * await app.stream();
 * assertEquals(seen.toSorted(), ["even 2", "odd 1", "odd 3"]);
 * ```
 *
 * @typeParam T What is passed on.
 */
export class Proxy<T> implements FeedSource<T>, SinkTarget<T> {
  readonly #queue: ProxyQueue<T>;

  /**
   * Makes an empty Proxy.
   *
   * @throws {TypeError} If an option is unknown.
   * @throws {RangeError} If `bound` is not a positive integer.
   */
  constructor(options: ProxyOptions = {}) {
    const { bound = 256 } = readOptions("Proxy", options, RULES);
    this.#queue = new ProxyQueue(bound);
    queues.set(this, this.#queue as ProxyQueue<unknown>);
  }

  /** How many values wait to be read. */
  get size(): number {
    return this.#queue.size;
  }

  /**
   * Sends a value to the flows that read the Proxy. In a flow whose messages are acknowledged (those of a Topic,
   * say), it belongs to the message for which it is sent, awaited or not.
   *
   * @returns A promise that resolves when the value is accepted.
   * @throws {ProxyEndedError} If the Proxy has ended.
   * @throws {ProxyFullError} If as many sends are waiting already as the Proxy may hold values.
   */
  send(value: T): Promise<void> {
    // deno-lint-ignore require-await -- what offer() throws is a rejection
    return asPart("send() to a Proxy", async () => this.#queue.send(value));
  }

  /**
   * Keeps the Proxy open, also when all flows that write to it have ended, until the writer is closed. Where code
   * outside of flows alone sends, keep one writer for all of it: closing the last one ends the Proxy.
   */
  writer(): ProxyWriter<T> {
    const queue = this.#queue;
    const close = () => {
      if (!queue.writers.delete(writer)) return;
      queue.released = queue.writers.size === 0;
      queue.onIdle();
    };
    const writer = { send: (value: T) => this.send(value), close, [Symbol.dispose]: close };
    queue.writers.add(writer);
    queue.released = false;
    return writer;
  }

  /** Ends the Proxy: queued values are still read, no more are accepted. */
  close(): void {
    this.#queue.end(true);
  }

  /**
   * Opens it as a source.
   *
   * @internal
   */
  [openFeed](): Feed<T> {
    return this.#queue;
  }

  /**
   * Opens it as a sink that belongs to no flow.
   *
   * @internal
   */
  [openSink](): SinkPort<T> {
    return { write: (value) => this.send(value) };
  }
}

/** Returns the queue of a Proxy; undefined for everything else. */
export function queueOf(value: unknown): ProxyQueue<unknown> | undefined {
  return queues.get(value as object);
}
