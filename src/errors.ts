import { redactText } from "./redact.ts";

/** Where an error happened, as far as it is known. */
export interface ErrorPlace {
  /** The name of the flow. */
  flow?: string | undefined;
  /** The source of the flow, in words. */
  source?: string | undefined;
  /** The topic of the message. */
  topic?: string | undefined;
  /** The partition of the message. */
  partition?: number | undefined;
  /** The offset of the message in its partition. */
  offset?: number | undefined;
  /** The key of the message. */
  key?: unknown;
}

/** Base of the errors in a flow: says where it happened, and keeps the original error as `cause`. */
export abstract class FlowError extends Error implements ErrorPlace {
  /** The name of the flow. */
  declare readonly flow: string | undefined;
  /** The source of the flow, in words. */
  declare readonly source: string | undefined;
  /** The topic of the message. */
  declare readonly topic: string | undefined;
  /** The partition of the message. */
  declare readonly partition: number | undefined;
  /** The offset of the message in its partition. */
  declare readonly offset: number | undefined;
  /** The key of the message. */
  declare readonly key: unknown;
  /** The other errors of the same run, in the order in which they happened. */
  others: unknown[] = [];
  /**
   * The message that was in flight, as its source gave it; undefined where it is not known. Behind `batch()`, a
   * dead-letter sink gets an error for each message; elsewhere this is the list of collected messages.
   */
  root: unknown = undefined;
  /** Behind a Proxy, the message of the outside source that `root` was made from, where known; else `root`. */
  origin: unknown = undefined;

  /** Makes the error; `what` begins the message, then come the place and the cause. */
  constructor(what: string, place: ErrorPlace, cause: unknown) {
    super(`${what}${inWords(place)}: ${reason(cause)}`, { cause });
    Object.assign(this, place);
  }
}

/** Errors about unknown messages, which will be acknowledged all the same. */
export const untraceable: WeakSet<FlowError> = new WeakSet();

/** A handler, or the function of a `map`, `filter` or `flatMap`, threw or rejected. */
export class HandlerError extends FlowError {
  /** The name of the class. */
  override readonly name = "HandlerError";
  /** The value that the handler or the function was called with. */
  readonly input: unknown;

  /** Wraps what the handler threw. */
  constructor(place: ErrorPlace, input: unknown, cause: unknown) {
    super("Cannot handle a message", { ...positionOf(input), ...place }, cause);
    this.input = input;
  }
}

/** A sink threw or rejected. */
export class SinkError extends FlowError {
  /** The name of the class. */
  override readonly name = "SinkError";
  /** The value that the sink did not take. */
  readonly output: unknown;
  /** The message from which the value was made, where known. */
  readonly input: unknown;
  /** The sink, in words: its name, or its place among the sinks of the flow. */
  readonly sink: string;

  /** Wraps what the sink threw. */
  constructor(place: ErrorPlace, sink: string, output: unknown, input: unknown, cause: unknown) {
    super(`Cannot write to ${sink}`, { ...positionOf(input), ...place }, cause);
    this.sink = sink;
    this.output = output;
    this.input = input;
  }
}

/** A source threw or rejected while it was read. */
export class SourceError extends FlowError {
  /** The name of the class. */
  override readonly name = "SourceError";

  /** Wraps what the source threw. */
  constructor(place: ErrorPlace, cause: unknown) {
    super("Cannot read the source", place, cause);
  }
}

/** A pipe function or a `TransformStream` threw or rejected: it cannot continue, whatever the policy. */
export class PipeError extends FlowError {
  /** The name of the class. */
  override readonly name = "PipeError";

  /** Wraps what the pipe threw. */
  constructor(place: ErrorPlace, cause: unknown) {
    super("Cannot continue after an error in a pipe", place, cause);
  }
}

/** A message could not be encoded or decoded. */
export class CodecError extends FlowError {
  /** The name of the class. */
  override readonly name = "CodecError";
  /** The bytes that could not be decoded; absent when encoding failed. */
  readonly bytes: Uint8Array | undefined;
  /** The message that was being decoded, or the value that was being encoded. */
  readonly input: unknown;
  readonly #what: string;

  /** Wraps what the codec threw. */
  constructor(
    what: string,
    place: ErrorPlace,
    bytes: Uint8Array | undefined,
    cause: unknown,
    input: unknown = bytes,
  ) {
    super(what, place, cause);
    this.#what = what;
    this.bytes = bytes;
    this.input = input;
  }

  /** Returns the error of the same failure as a flow meets it: one message may go to several flows. */
  metBy(flow: string | undefined, source: string | undefined): CodecError {
    const { topic, partition, offset, key, bytes, cause, input } = this;
    const known = Object.entries({ topic, partition, offset, key });
    const place = Object.fromEntries(known.filter(([, value]) => value !== undefined));
    return new CodecError(this.#what, { ...place, flow, source }, bytes, cause, input);
  }
}

/** The commit could not be completed in time: sinks or stores did not flush, or positions were not committed. */
export class CommitError extends FlowError {
  /** The name of the class. */
  override readonly name = "CommitError";

  /** Wraps the last failure. */
  constructor(what: string, cause: unknown) {
    super(what, {}, cause);
  }
}

/** Something that was still running when a run was ended at once. */
export interface Stuck extends ErrorPlace {
  /** In words, for instance `handles a message` or `flush()`. */
  readonly what: string;
  /** The sink that was waited for, in words. */
  readonly sink?: string | undefined;
  /** For how many milliseconds it has lasted, as far as is known. */
  readonly sinceMs: number;
}

/**
 * The run was ended at once, by a second signal or because stopping took longer than `drainTimeout`. Its message and
 * `stuck` name everything that was still running.
 */
export class DrainError extends Error {
  /** The name of the class. */
  override readonly name = "DrainError";
  /** Everything that was still running. */
  readonly stuck: readonly Stuck[];
  /** The other errors of the same run, in the order in which they happened. */
  others: unknown[] = [];

  /** Makes the error; what is stuck is added to `message`. */
  constructor(message: string, stuck: readonly Stuck[] = []) {
    const named = stuck.slice(0, MOST_NAMED).map((each) => stuckInWords(each));
    if (stuck.length > MOST_NAMED) named.push(`${stuck.length - MOST_NAMED} more`);
    super([message, ...named].join("; "));
    this.stuck = stuck;
  }
}

/** How many things that are stuck an error names. */
const MOST_NAMED = 5;

function stuckInWords({ what, sink, sinceMs, ...place }: Stuck): string {
  const to = sink === undefined ? "" : ` ${sink}`;
  return `${what}${to}${inWords(place)} for ${sinceMs} ms`;
}

/** A value was sent to a Proxy that has ended. */
export class ProxyEndedError extends Error {
  /** The name of the class. */
  override readonly name = "ProxyEndedError";
}

/** More sends are waiting for a Proxy than it may hold. */
export class ProxyFullError extends Error {
  /** The name of the class. */
  override readonly name = "ProxyFullError";
}

/** Flows wait for each other in a cycle of full Proxies: none can ever continue. */
export class CycleError extends Error {
  /** The name of the class. */
  override readonly name = "CycleError";
}

/** Returns the error of one of the several messages that `failure` is about. */
export function aboutMessage(
  failure: HandlerError | SinkError | CodecError,
  { root, origin }: { readonly root: unknown; readonly origin: unknown },
): HandlerError | SinkError | CodecError {
  const { flow, source, input, cause, others } = failure;
  const place = { ...positionOf(origin), flow, source };
  const copy = failure instanceof CodecError
    ? failure.metBy(flow, source)
    : failure instanceof SinkError
    ? new SinkError(place, failure.sink, failure.output, input, cause)
    : new HandlerError(place, input, cause);
  return Object.assign(copy, { root, origin, others });
}

/** Reads topic, partition, offset and key from a message that has them. */
export function positionOf(input: unknown): ErrorPlace {
  if (typeof input !== "object" || input === null || !("offset" in input)) return {};
  const { topic, partition, offset } = input as ErrorPlace;
  const key = keyOf(input);
  return {
    ...(typeof topic === "string" && { topic }),
    ...(typeof partition === "number" && { partition }),
    ...(typeof offset === "number" && { offset }),
    ...(key !== undefined && { key }),
  };
}

/** Reads the key of a message; one that cannot be decoded is not the error that is being made. */
function keyOf(message: object): unknown {
  try {
    return (message as ErrorPlace).key;
  } catch {
    return undefined;
  }
}

function inWords({ flow, topic, partition, offset }: ErrorPlace): string {
  const parts: string[] = [];
  if (flow !== undefined) parts.push(`in flow ${JSON.stringify(flow)}`);
  if (topic !== undefined) parts.push(`of topic ${JSON.stringify(topic)}`);
  if (partition !== undefined) parts.push(`partition ${partition}`);
  if (offset !== undefined) parts.push(`offset ${offset}`);
  return parts.length === 0 ? "" : ` ${parts.join(" ")}`;
}

/** What was thrown, in words: it may be anything, also what cannot become a string, and name a URL. */
function reason(cause: unknown): string {
  if (cause instanceof Error) return redactText(cause.message);
  try {
    return redactText(String(cause));
  } catch {
    return redactText(Deno.inspect(cause));
  }
}
