import type { FeedSource } from "./feed.ts";

/**
 * Where messages come from: anything iterable or async-iterable (one message an element), a
 * `ReadableStream` (one a chunk), or one of the library's own sources (Topic, Proxy, `merge(…)`). Iterators are read as
 * `for await` reads them: promises among the elements of an iterable are awaited.
 *
 * @typeParam T The messages.
 */
export type Source<T> =
  | Iterable<T | PromiseLike<T>>
  | AsyncIterable<T>
  | ReadableStream<T>
  | FeedSource<T>
  | Merge<T>;

/**
 * Several sources that one flow reads as one; made by {@linkcode merge}.
 *
 * @typeParam T The messages.
 */
export class Merge<T> {
  /** The sources, each object once; strings are values, so equal ones are several sources. */
  readonly sources: readonly Source<T>[];

  /** Merges `sources`; a merge among them stands for its own. */
  constructor(sources: readonly Source<T>[]) {
    const single = sources.flatMap((source) => source instanceof Merge ? source.sources : [source]);
    this.sources = single.filter((source, index) =>
      typeof source === "string" || single.indexOf(source) === index
    );
  }
}

/** The messages of a source. */
export type MessageOf<S> = S extends Source<infer T> ? T : never;

/**
 * Merges sources into one: the messages of each keep their order, and sources that always have a message
 * take turns. Each source keeps a gate and acknowledgements of its own; the merge ends with the last one.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App, merge } from "@slipstream/slipstream";
 *
 * const app = new App();
 * const seen: string[] = [];
 * app.handle(merge(["a", "b"], ["x", "y"]), (letter) => void seen.push(letter));
 * await app.stream();
 * assertEquals(seen, ["a", "x", "b", "y"]);
 * ```
 *
 * @typeParam S The sources.
 */
export function merge<S extends readonly Source<unknown>[]>(
  ...sources: S
): Merge<MessageOf<S[number]>> {
  return new Merge(sources as unknown as Source<MessageOf<S[number]>>[]);
}
