import { describe } from "../../redact.ts";
import { callback, readOptions, type Rules, text } from "../../options.ts";
import { END, type Feed, type FeedSource, openFeed, WAIT } from "./feed.ts";
import type { Host } from "./host.ts";
import { iterableFeed } from "./adapters.ts";
import { isIterable } from "./iteration.ts";
import { Receipt } from "./receipt.ts";
import type { Resumption } from "../state/state.ts";

/**
 * A source of your own that can begin at a position.
 *
 * @typeParam T The messages.
 * @typeParam P The positions: numbers, strings, bigints, or plain data. If flows with different states share the
 * source, they must be ascending numbers or bigints.
 */
export interface ReplayableOptions<T, P> {
  /** Its name: stored positions belong to it. */
  name: string;
  /** Returns the messages that follow `position`; all of them when it is undefined. */
  read: (position: P | undefined, signal: AbortSignal) => AsyncIterable<T>;
  /** Returns where a message ends: the position from which `read` continues after it. */
  position: (message: T) => P;
}

const RULES = { name: text, read: callback, position: callback } as const satisfies Rules<
  ReplayableOptions<unknown, unknown>
>;

/**
 * Makes a source from something that can be read again from a position: a file by byte offset, an event stream by
 * event id. With the option `state`, a flow that reads it resumes after a crash where its state ends; without, it
 * starts over each time.
 *
 * - Normal end: the source ends when the iteration does.
 * - Error of the iteration: the app stops with a `SourceError`.
 * - End of the app: `return()` is called, and `signal` aborts.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App, MemoryCache, replayable } from "@slipstream/slipstream";
 *
 * const letters = [..."abc"].map((letter, index) => ({ letter, next: index + 1 }));
 * const source = replayable({
 *   name: "letters",
 *   read: async function* (position: number = 0) {
 *     yield* letters.slice(position);
 *   },
 *   position: ({ next }) => next,
 * });
 *
 * await using state = new MemoryCache<number>({ maxBytes: Infinity });
 * const app = new App();
 * app.handle(source, async () => {
 *   await state.update("seen", (seen = 0) => seen + 1);
 * }, { name: "count", state });
 * await app.stream();
 * await app.stream(); // nothing is new
 * assertEquals(await state.get("seen"), 3);
 * ```
 *
 * @throws {TypeError} If an option is missing or of a wrong shape.
 */
export function replayable<T, P>(options: ReplayableOptions<T, P>): FeedSource<T> {
  readOptions("replayable", options, RULES, ["name", "read", "position"]);
  const source: FeedSource<T> & { readonly name: string } = {
    name: options.name,
    positioned: true,
    [openFeed]: (host: Host) => new ReplayableFeed(options, host),
  };
  return source;
}

const SCALARS: ReadonlySet<string> = new Set(["number", "string", "bigint"]);

/** A replayable source while it is read; its one partition is 0. */
class ReplayableFeed<T, P> implements Feed<T> {
  receipt: Receipt | undefined;
  onLate: (error: unknown) => void = () => {};
  readonly #options: ReplayableOptions<T, P>;
  readonly #ended = new AbortController();
  readonly #signal: AbortSignal;
  #resumption: Resumption | undefined;
  #feed: Feed<T> | undefined;

  constructor(options: ReplayableOptions<T, P>, host: Host) {
    this.#options = options;
    this.#signal = AbortSignal.any([this.#ended.signal, host.signal]);
  }

  resumeBy(resumption: Resumption): void {
    this.#resumption = resumption;
  }

  poll(): T | typeof WAIT | typeof END {
    const message = (this.#feed ??= this.#open()).poll();
    if (message === WAIT || message === END) return message;
    const position = this.#options.position(message as T);
    this.receipt = new Receipt(() => {}, this.#resumption ? this.#kept(position) : position);
    return message;
  }

  wait(wake: () => void): void {
    this.#feed!.wait(wake);
  }

  cancel(reason?: unknown): void | Promise<void> {
    this.#ended.abort(reason);
    return this.#feed?.cancel(reason);
  }

  /** A position as a state keeps it: a copy, since the source may go on with its own. */
  #kept(position: P): P {
    if (SCALARS.has(typeof position)) return position;
    const prototype = position && Object.getPrototypeOf(position);
    if ([Object.prototype, Array.prototype].includes(prototype)) return structuredClone(position);
    throw new TypeError(
      `Cannot keep a position of source "${this.#options.name}": position() must return a number, a ` +
        `string, a bigint, a plain object or an array: got ${
          prototype?.constructor?.name ?? position
        }`,
    );
  }

  #open(): Feed<T> {
    const position = this.#resumption?.start(0, undefined) as P | undefined;
    this.#resumption?.began(0, position, false);
    const messages: unknown = this.#options.read(position, this.#signal);
    if (!isIterable(messages)) {
      throw new TypeError(
        `read() must give something iterable, got ${
          describe(messages)
        }: make it an async function*`,
      );
    }
    const feed = iterableFeed<T>(messages as AsyncIterable<T>);
    feed.onLate = (error) => this.onLate(error);
    return feed;
  }
}
