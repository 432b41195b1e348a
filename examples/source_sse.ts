/**
 * Edits of Wikipedia as they happen, counted by wiki: server-sent events as a source that can be read again
 * from any event, so that each edit is counted exactly once, whatever crashes in between.
 *
 * - The position of an event is its id; the cache holds the last one beside the counts. A restart asks the
 *   server for what came after it (`Last-Event-ID`), and so does a reconnection.
 * - Reads no faster than the handler handles: the socket fills up, and the server waits.
 *
 * Runs until Ctrl-C, and goes on from there the next time. The arguments are another address, after how many
 * edits to end, and where the counts are.
 *
 * ```sh
 * deno run --unstable-kv --allow-net --allow-read=state --allow-write=state examples/source_sse.ts
 * ```
 *
 * Prints one line an edit:
 *
 * ```text
 * enwiki 1: Ada Lovelace, by Babbage
 * dewiki 1: Emmy Noether, by Hilbert
 * enwiki 2: Sophie Germain, by Lagrange
 * ```
 *
 * @module
 */
import { App, Cache, replayable } from "@slipstream/slipstream";
import { delay } from "@std/async/delay";
import { type EventSourceMessage, EventSourceParserStream } from "eventsource-parser/stream";

/** Options of {@linkcode events}. */
export interface EventsOptions {
  /** The id of the event after which to begin. */
  lastId?: string | undefined;
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
  { lastId = "", signal, retryMs = 1_000 }: EventsOptions = {},
): AsyncGenerator<EventSourceMessage, void> {
  const url = new URL(address);
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

/** Says where an event ends: the server goes on after its id. */
function position({ id }: EventSourceMessage): string {
  if (id) return id;
  throw new Error("Cannot continue after an event: the server gives it no id");
}

interface Change {
  type: string;
  wiki: string;
  title: string;
  user: string;
}

/** Options of {@linkcode countEdits}. */
export interface CountOptions {
  /** Gets a line for each edit. */
  sink: (line: string) => void;
  /** After how many edits to end. */
  limit?: number;
  /** Who runs it. */
  app?: App;
}

/** Counts the edits of each wiki in `counts`, from the event on at which it ends. */
export async function countEdits(
  address: string,
  counts: Cache<number>,
  { sink, limit = Infinity, app = new App() }: CountOptions,
): Promise<void> {
  const changes = replayable({
    name: address,
    read: (lastId: string | undefined, signal) => events(address, { lastId, signal }),
    position,
  });
  app.handle(changes, async ({ data }) => {
    const { type, wiki, title, user }: Change = JSON.parse(data);
    if (type !== "edit") return;
    const count = await counts.update(wiki, (count = 0) => count + 1);
    if (--limit === 0) app.close();
    return `${wiki} ${count}: ${title}, by ${user}`;
  }, { name: "count edits", state: counts, sink });
  await app.stream();
}

if (import.meta.main) {
  const [
    address = "https://stream.wikimedia.org/v2/stream/recentchange",
    limit = "Infinity",
    path = "state/source_sse",
  ] = Deno.args;
  await using counts = await Cache.open<number>(path, { maxBytes: Infinity });
  await countEdits(address, counts, { sink: console.log, limit: Number(limit) });
}
