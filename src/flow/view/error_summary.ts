import { CommitError, DrainError, FlowError, SourceError } from "../../errors.ts";
import { rootCause } from "../stage/failures.ts";
import { redactText } from "../../redact.ts";
import type { ErrorSummary } from "../../snapshot.ts";

/** Where the files of this library are: their frames say nothing about the user's code. */
const LIBRARY = new URL("../../", import.meta.url).href;

/** The errors of this library whose texts are its own, by name: those of classes that are no part of `flow` too. */
const OWN: ReadonlySet<string> = new Set([
  "CacheDamagedError",
  "CacheHeldError",
  "CacheStorageError",
  "CycleError",
  "KafkaError",
  "ProxyEndedError",
  "ProxyFullError",
]);

/** Returns what is told of an error: its place, and no message. */
export function summaryOf(error: unknown, at: number): ErrorSummary {
  const cause = rootCause(error);
  const place = error instanceof FlowError ? error : undefined;
  return {
    at,
    name: nameOf(cause),
    text: redactText(textOf(error)),
    quotes: !(cause instanceof Error && OWN.has(cause.name)) && !isOwn(error),
    flow: place?.flow,
    source: place?.source,
    sink: (place as { sink?: string } | undefined)?.sink,
    topic: place?.topic,
    partition: place?.partition,
    offset: place?.offset,
    line: cause instanceof Error ? lineOf(cause.stack) : undefined,
  };
}

/** Returns whether the library made the whole text: what it quotes are errors of sinks, stores and brokers. */
function isOwn(error: unknown): boolean {
  return error instanceof DrainError ||
    error instanceof CommitError && !(error.cause instanceof FlowError) ||
    error instanceof SourceError && rootCause(error) instanceof DOMException;
}

/** The name of the class, and the code that the system has for it: `Error ENOSPC`. */
function nameOf(cause: unknown): string {
  if (!(cause instanceof Error)) return typeof cause;
  const { name, code } = cause as { name: string; code?: unknown };
  return typeof code === "string" && /^E[A-Z]+$/.test(code) ? `${name} ${code}` : name;
}

function textOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  return typeof error === "string" ? error : Deno.inspect(error, { depth: 1 });
}

/** In a stack, the files of npm packages: `…/node_modules/…`, or `…/npm/<registry>/<name>/<version>/…`. */
const PACKAGE = /\/node_modules\/|\/npm\/[^/]+\/(?:@[^/]+\/)?[^/]+\/\d+\.\d+\.\d+[^/]*\//;

/**
 * The first line of a stack that is in neither the library nor the runtime, nor in a package where another one is, with
 * the name of its file alone.
 */
function lineOf(stack: string | undefined): string | undefined {
  let inPackage: string | undefined;
  for (const [, url] of stack?.matchAll(/((?:file|https?|data):[^\s()]+:\d+:\d+)/g) ?? []) {
    if (url!.startsWith(LIBRARY) || url!.startsWith("data:")) continue;
    const line = url!.slice(url!.lastIndexOf("/") + 1);
    if (!PACKAGE.test(url!)) return line;
    inPackage ??= line;
  }
  return inPackage;
}
