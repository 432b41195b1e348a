import { describe } from "../../redact.ts";
import {
  anything,
  duration,
  oneOf,
  readOptions,
  type Rule,
  type Rules,
  text,
} from "../../options.ts";
import { refusal } from "../../refusal.ts";
import type { Handler, OpaquePipe, StreamPair } from "../../types.ts";
import { errorPolicy, type OnError } from "../stage/error_policy.ts";
import { advice, type Role } from "./advice.ts";
import { openFeed } from "../source/feed.ts";
import { keepState, openState, type StateCache, type StateStore } from "../state/state.ts";
import { isSource } from "../source/adapters.ts";
import { Merge } from "../source/source.ts";
import { Aggregation } from "../stage/aggregation.ts";
import { type ExactStage, makeStage } from "../stage/exact_pipes.ts";
import { type PromisedPipe, toOpaque } from "../stage/pipe_promises.ts";
import { isSink } from "../stage/sink.ts";
import { type Concurrency, concurrency } from "../concurrency/options.ts";
import { assertConcurrent } from "../concurrency/checks.ts";

/** What one call of `handle` binds, checked. */
export interface Binding {
  readonly name: string;
  /** The sources; more than one where they are merged. */
  readonly sources: readonly unknown[];
  readonly pipes: readonly (
    | ExactStage<unknown, unknown>
    | OpaquePipe<unknown, unknown>
    | PromisedPipe<unknown, unknown>
  )[];
  readonly handler:
    | Handler<unknown, unknown>
    | StreamPair<unknown, unknown>
    | PromisedPipe<unknown, unknown>;
  /** True where the handler is that of an aggregation. */
  readonly aggregates: boolean;
  readonly sinks: readonly unknown[];
  readonly onError: OnError | undefined;
  readonly replays: "deliver" | "skip";
  /** How long a call of the handler may take. */
  readonly handlerTimeoutMs: number | undefined;
  /** The store that holds its positions. */
  readonly state: StateStore | undefined;
  /** How it handles messages beside each other; undefined where it handles one after the other. */
  readonly concurrency: Concurrency | undefined;
}

/** The options of `handle`, before they are checked. */
export interface UncheckedOptions {
  readonly sink?: unknown;
  readonly name?: unknown;
  readonly onError?: unknown;
  readonly replays?: unknown;
  readonly state?: unknown;
  readonly handlerTimeout?: unknown;
  readonly concurrency?: unknown;
}

const stateCache: Rule<StateCache> = (value, what) => {
  if (typeof (value as Partial<StateCache> | null)?.[openState] === "function") {
    return value as StateCache;
  }
  throw new TypeError(refusal(what, "a Cache", value) + advice(value, "state"));
};

const RULES = {
  sink: anything,
  name: text as Rule<string>,
  onError: errorPolicy as Rule<OnError>,
  replays: oneOf("deliver", "skip") as Rule<"deliver" | "skip">,
  state: stateCache,
  handlerTimeout: duration({ positive: true }),
  concurrency: concurrency as Rule<Concurrency>,
} as const satisfies Rules<UncheckedOptions>;

/**
 * Checks what `handle` was given.
 *
 * @throws {TypeError} If something does not fit; the error names the flow and what it was given.
 */
export function toBinding(
  source: unknown,
  pipes: readonly unknown[],
  stage: unknown,
  options: UncheckedOptions,
  names: ReadonlySet<string> = new Set(),
): Binding {
  const aggregates = stage instanceof Aggregation;
  const handler = aggregates ? stage.handle : stage;
  const given = (options as UncheckedOptions | null)?.name;
  const flow = typeof given === "string" && given !== ""
    ? given
    : unusedName(typeof handler === "function" ? handler.name : "", names);
  const { sink, name, onError, replays = "deliver", state, handlerTimeout, ...rest } = readOptions(
    `flow ${JSON.stringify(flow)}`,
    options,
    RULES,
  );
  const concurrency = aggregates ? ordered(flow, pipes, stage, rest.concurrency) : rest.concurrency;
  if (name !== undefined && names.has(name)) {
    throw new TypeError(`Cannot bind a second flow named ${JSON.stringify(name)}`);
  }
  const sources = source instanceof Merge ? source.sources : [source];
  const sinks = list(sink);
  assertParts(flow, sources, pipes, handler, sinks);
  if (state !== undefined && name === undefined) {
    throw new TypeError(
      `Cannot keep exact state of flow ${
        JSON.stringify(flow)
      } without the option "name": positions are stored under ` +
        "it, and must be found again when the handler is renamed",
    );
  }
  if (concurrency !== undefined) assertConcurrent(flow, sources, [...pipes, handler], concurrency);
  const kept = state && keepState(state);
  if (aggregates && kept !== undefined && stage.store.state !== kept) {
    throw new TypeError(
      `Cannot aggregate in flow ${
        JSON.stringify(flow)
      } into another store than its state: after a crash messages ` +
        "would count again there; give the flow that cache as its state",
    );
  }
  return {
    name: flow,
    sources,
    pipes,
    handler,
    aggregates,
    sinks,
    onError,
    replays,
    handlerTimeoutMs: handlerTimeout,
    state: kept,
    concurrency,
  } as Binding;
}

/** Has messages that count for one key handled in their order, so that the values of that key reach the sinks in it. */
function ordered(
  flow: string,
  pipes: readonly unknown[],
  { by }: Aggregation<unknown, unknown>,
  concurrency: Concurrency | undefined,
): Concurrency | undefined {
  if (concurrency === undefined || by === undefined || concurrency.by !== undefined) {
    return concurrency;
  }
  if (pipes.length === 0) return { ...concurrency, by };
  throw new TypeError(
    `Cannot aggregate concurrently in flow ${
      JSON.stringify(flow)
    } by a function, behind pipes, without the option ` +
      '"by" of concurrency: set it to a function that finds the same key in a message of the source',
  );
}

/** Checks that each part of a flow can be what it is given as. */
function assertParts(
  flow: string,
  sources: readonly unknown[],
  pipes: readonly unknown[],
  handler: unknown,
  sinks: readonly unknown[],
): void {
  const wrong = (what: string, expected: string, value: unknown, role: Role) =>
    new TypeError(
      `Cannot bind flow ${JSON.stringify(flow)}: ${what} must be ${expected}, got ${
        describe(value)
      }${advice(value, role)}`,
    );
  for (const each of sources) {
    if (!isSource(each)) {
      throw wrong("the source", "iterable, a ReadableStream or a library source", each, "source");
    }
  }
  if (isExactPipe(handler)) {
    throw new TypeError(
      `Cannot bind flow ${
        JSON.stringify(flow)
      }: the handler is missing, since map(), filter(), flatMap() and ` +
        "batch() are pipes; write handle(source, pipe, handler)",
    );
  }
  if (!isStage(handler)) {
    throw wrong("the handler", "a function or a TransformStream", handler, "handler");
  }
  for (const each of pipes) {
    if (toOpaque(each) === undefined && !isExactPipe(each)) {
      throw wrong("a pipe", "a function over async iterables or a TransformStream", each, "pipe");
    }
  }
  sinks.forEach((each, index) => {
    if (!isSink(each)) {
      throw wrong(
        sinks.length === 1 ? "the sink" : `sink ${index + 1}`,
        "a function, a WritableStream, an object with write() or a library sink",
        each,
        "sink",
      );
    }
  });
}

/** The name of a flow that was given none: its handler's, with a number where that is taken. */
function unusedName(handler: string, names: ReadonlySet<string>): string {
  const called = handler === "handler" ? "" : handler; // a name that says nothing
  if (called !== "" && !names.has(called)) return called;
  const stem = called === "" ? "flow" : called;
  for (let number = called === "" ? names.size + 1 : 2;; number++) {
    if (!names.has(`${stem} ${number}`)) return `${stem} ${number}`;
  }
}

/** A source, in words, for errors and status events. */
export function sourceName(source: unknown): string {
  if (typeof source === "string") return "a string";
  const named = source as { name?: unknown; [openFeed]?: unknown } | null;
  if (typeof named?.name === "string" && openFeed in (source as object)) return named.name;
  const tag = (source as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag];
  return typeof tag === "string" ? tag : (source as object).constructor?.name ?? "a source";
}

/** Returns whether `value` can be a handler. */
export function isStage(value: unknown): boolean {
  return value instanceof Aggregation || toOpaque(value) !== undefined;
}

/** Returns whether `value` is a pipe with exact acknowledgements. */
export function isExactPipe(value: unknown): value is ExactStage<unknown, unknown> {
  return typeof value === "object" && value !== null && makeStage in value;
}

function list(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}
