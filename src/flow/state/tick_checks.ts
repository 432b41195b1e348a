import type { Binding } from "../run/binding.ts";
import type { Hub } from "../source/hub.ts";
import type { ExactStage } from "../stage/exact_pipes.ts";
import type { OnError } from "../stage/error_policy.ts";
import { toOpaque } from "../stage/pipe_promises.ts";
import { type Way, wayOf } from "../proxy/way.ts";
import { queuesOf } from "./state_checks.ts";

type Stage = ExactStage<unknown, unknown>;

/** Returns whether a flow has a window. */
export function hasWindow({ pipes }: Pick<Binding, "pipes">): boolean {
  return pipes.some((pipe) => (pipe as Stage).ticks !== undefined);
}

/** The error that says why a window cannot be exact. */
function refusal(name: string, window: Stage, why: string): TypeError {
  return new TypeError(`Cannot use ${window.ticks}() in flow ${JSON.stringify(name)}: ${why}`);
}

/**
 * Finds the way of the messages of a flow with a window that reads a Proxy; undefined for other flows.
 *
 * @throws {TypeError} If the messages do not come from one source, in its order, or nothing is stored of it.
 */
export function wayOfTicks(
  binding: Binding,
  bindings: readonly Binding[],
  onError: OnError,
): Way | undefined {
  const window = binding.pipes.find((pipe) => (pipe as Stage).ticks !== undefined) as Stage;
  if (window === undefined || queuesOf(binding.sources).length === 0) return undefined;
  const refused = (why: string) => refusal(binding.name, window, why);
  if (binding.state === undefined) {
    throw refused(
      "it reads a Proxy, and without state nobody knows where its messages come from; set the options name and " +
        "state in it and in the flow that writes to the Proxy, or use it in that flow",
    );
  }
  return wayOf(binding, bindings, onError, refused);
}

/**
 * Checks a flow with a window: its messages must come one by one, each with its place in the source, and what it
 * has taken in must be held by a store where the source relies on that.
 *
 * @throws {TypeError} If it could not be exact; the error says what to write.
 */
export function assertTicks(
  { name, pipes, handler, replays, state }: Binding,
  hubs: readonly Hub<unknown>[],
  onError: OnError,
  isConcurrent: boolean,
): void {
  const place = pipes.findIndex((pipe) => (pipe as Stage).ticks !== undefined);
  if (place < 0) return;
  const refused = (why: string) => refusal(name, pipes[place] as Stage, why);
  if (pipes.some((pipe, index) => index !== place && (pipe as Stage).ticks !== undefined)) {
    throw refused(
      "a flow has one window; send its results to a Topic, and read that in another flow",
    );
  }
  const isSingle = (pipe: unknown) =>
    toOpaque(pipe) !== undefined || (pipe as Stage).holds || (pipe as Stage).single === true;
  const isStream = typeof handler !== "function" || toOpaque(handler)?.promise !== undefined;
  if (isConcurrent && (isStream || pipes.some(isSingle))) {
    throw refused(
      "another flow handles the messages of its source concurrently, so that this one goes at its own pace, and " +
        "batch(), exactPipe(), pipe functions, TransformStreams and stream handlers cannot; use map(), filter() or " +
        "flatMap() there, or let the concurrent flow read a Proxy of its own",
    );
  }
  if (isConcurrent && hubs.length > 1) {
    throw refused(
      "it reads a merge, whose sources have no common order, and its flow, or another one of its sources, handles " +
        "messages concurrently; leave out the option concurrency, or let such another flow read a Proxy of its own",
    );
  }
  for (const pipe of pipes.slice(0, place)) {
    if (toOpaque(pipe) !== undefined || (pipe as Stage).holds) {
      throw refused(
        "batch(), pipe functions and TransformStreams before it hold messages back, so nobody could tell which " +
          "messages it has; use map(), filter() or flatMap() there",
      );
    }
    if ((pipe as Stage).repeats && onError !== "stop") {
      throw refused(
        "flatMap() before it may pass elements on again after an error, and they would count twice; set " +
          'onError: "stop", or use map() there and flatMap() in a flow of its own',
      );
    }
  }
  const gate = hubs.map(({ gate }) => gate).find(({ corrector }) => corrector !== undefined);
  if (gate !== undefined && replays !== "skip") {
    const { uncorrectable } = pipes[place] as Stage;
    const repeats = pipes.slice(0, place).some((pipe) => (pipe as Stage).repeats);
    const why = uncorrectable ??
      (repeats ? "flatMap() before it makes several of a message" : undefined) ??
      (hubs.length > 1 ? "it reads a merge" : undefined);
    if (why !== undefined) {
      throw refused(
        `checkpoint ${
          JSON.stringify(gate.corrector)
        } corrects its source, and it cannot follow corrections: ${why}; ` +
          'set replays: "skip" to keep what was counted first',
      );
    }
  }
  const acknowledged = hubs.some(({ feed, positioned }) =>
    positioned || feed.snapshot !== undefined || feed.resumeBy !== undefined
  );
  if (acknowledged && state === undefined) {
    throw refused(
      "its source has positions, so windows in memory would be lost after a crash; set the options name and " +
        "state, a Cache on disk",
    );
  }
}
