/**
 * Edits of Wikipedia as they happen: server-sent events as a source.
 *
 * - Reconnects when the connection breaks, with the id of the last event that was handled, so that the
 *   server goes on from there.
 * - Reads no faster than the handler handles: the socket fills up, and the server waits.
 *
 * Runs until Ctrl-C. The arguments are another address, and after how many edits to end.
 *
 * ```sh
 * deno run --allow-net examples/source_sse.ts https://stream.wikimedia.org/v2/stream/recentchange 3
 * ```
 *
 * Prints one line an edit:
 *
 * ```text
 * enwiki: Ada Lovelace, by Babbage
 * dewiki: Emmy Noether, by Hilbert
 * frwiki: Sophie Germain, by Lagrange
 * ```
 *
 * @module
 */
import { handle, stream } from "@slipstream/slipstream";
import { delay } from "@std/async/delay";
import { type EventSourceMessage, EventSourceParserStream } from "eventsource-parser/stream";

/** Options of {@linkcode events}. */
export interface EventsOptions {
  /** Ends the connection, and waiting for the next one. */
  signal?: AbortSignal;
  /** Milliseconds before a new connection, until the server says otherwise (`retry: …`). */
  retryMs?: number;
}

/**
 * Yields the events of a server; connects again whenever a connection breaks.
 *
 * @throws {Error} If the server refuses (any status but 200, 204, 429 and 5xx); 204 ends the events.
 */
export async function* events(
  address: string | URL,
  { signal, retryMs = 1_000 }: EventsOptions = {},
): AsyncGenerator<EventSourceMessage, void> {
  const url = new URL(address);
  let lastId = "";
  for (;;) {
    const response = await connect(url, lastId, signal);
    if (response?.status === 204) return;
    if (response?.body) {
      const messages = response.body
        .pipeThrough(new TextDecoderStream())
        .pipeThrough(new EventSourceParserStream({ onRetry: (ms) => retryMs = ms }));
      try {
        for await (const message of messages) {
          yield message;
          lastId = message.id ?? lastId; // only now: a message is asked for when the one before is done
        }
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // a TypeError: the connection broke
      }
    }
    await delay(retryMs, signal && { signal });
  }
}

/** Returns the response; undefined when the server cannot be reached now. */
async function connect(
  url: URL,
  lastId: string,
  signal: AbortSignal | undefined,
): Promise<Response | undefined> {
  const headers = new Headers({ accept: "text/event-stream" });
  if (lastId !== "") headers.set("last-event-id", lastId);
  let response: Response;
  try {
    response = await fetch(url, { headers, ...(signal && { signal }) });
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
  const { status } = response;
  if (status === 200 || status === 204) return response;
  await response.body?.cancel();
  if (status === 429 || status >= 500) return undefined;
  throw new Error(`Cannot stream "${url}": the server answered ${status}`);
}

interface Change {
  type: string;
  wiki: string;
  title: string;
  user: string;
}

/** Yields the first `count` edits among the changes. */
async function* edits(
  changes: AsyncIterable<EventSourceMessage>,
  count: number,
): AsyncGenerator<Change, void> {
  for await (const { data } of changes) {
    const change: Change = JSON.parse(data);
    if (change.type !== "edit") continue;
    yield change;
    if (--count === 0) return;
  }
}

if (import.meta.main) {
  const [address = "https://stream.wikimedia.org/v2/stream/recentchange", count = "Infinity"] =
    Deno.args;
  const ended = new AbortController();
  const changes = events(address, { signal: ended.signal });

  handle(edits(changes, Number(count)), (edit) => `${edit.wiki}: ${edit.title}, by ${edit.user}`, {
    sink: console.log,
  });

  await stream();
  ended.abort(); // after Ctrl-C the connection is still open
}
