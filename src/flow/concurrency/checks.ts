import type { FeedSource } from "../source/feed.ts";
import { type ExactStage, makeStage } from "../stage/exact_pipes.ts";
import { toOpaque } from "../stage/pipe_promises.ts";
import type { Concurrency } from "./options.ts";

/**
 * Checks a flow that is to handle messages concurrently, when it is bound.
 *
 * @throws {TypeError} If a stage of it takes one message after the other, or nothing says what keeps its order.
 */
export function assertConcurrent(
  flow: string,
  sources: readonly unknown[],
  stages: readonly unknown[],
  { by }: Concurrency,
): void {
  const isSingle = (stage: unknown, index: number) => {
    const exact = stage as Partial<ExactStage<unknown, unknown>>;
    if (exact[makeStage] !== undefined) {
      return exact.holds || exact.single;
    }
    return typeof stage !== "function" || index < stages.length - 1 || toOpaque(stage)?.promise;
  };
  if (stages.some(isSingle)) {
    throw new TypeError(
      `Cannot handle messages of flow ${
        JSON.stringify(flow)
      } concurrently: batch(), exactPipe(), pipe functions, ` +
        "TransformStreams and stream handlers take one message after the other; use map(), filter() or flatMap() " +
        "before a handler function, or let this flow write to a Proxy, and read that in a flow of its own",
    );
  }
  if (by === undefined && !sources.every((source) => (source as FeedSource<unknown>).keyed)) {
    throw new TypeError(
      `Cannot handle messages of flow ${
        JSON.stringify(flow)
      } concurrently without the option "by": its source ` +
        'gives messages without a key; set by to a function that returns one, to "partition", or to "none", which ' +
        "keeps no order",
    );
  }
}
