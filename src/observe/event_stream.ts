import type { EventLog } from "./event_log.ts";

/** How many events are written at once. */
const MOST_AT_ONCE = 64;
const encoder = new TextEncoder();

/**
 * Returns what is sent to one client: the events from `place` on, and the newest snapshot. It is asked for the next
 * part only when the client has taken the one before, and then has the newest: nothing is queued for a slow client.
 *
 * @param isOver Returns whether nothing more is to come: then it ends once all was sent, since an open connection would
 * keep the process running. The client comes back after a second, and so sees when something comes all the same.
 * @param closed Called once, when the client is gone or `signal` has aborted.
 */
export function eventStream(
  log: EventLog,
  place: number,
  signal: AbortSignal,
  isOver: () => boolean,
  closed: () => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const gone = new AbortController();
  const over = AbortSignal.any([signal, gone.signal]);
  let snapshot = 0;
  let begins = true;
  let isClosed = false;
  const close = () => {
    if (isClosed) return;
    isClosed = true;
    gone.abort();
    closed();
  };
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      for (;;) {
        const text = over.aborted ? "" : next();
        if (text === "" && (over.aborted || isOver())) {
          close();
          return controller.close();
        }
        if (text !== "") return controller.enqueue(encoder.encode(text));
        await log.changed(over);
      }
    },
    cancel: close,
  }, { highWaterMark: 0 });

  /** The next part; empty when there is nothing new. */
  function next(): string {
    const parts: string[] = begins ? ["retry: 1000\n\n"] : [];
    begins = false;
    const { events, missed } = log.from(place);
    if (missed > 0) {
      place += missed;
      parts.push(event("missed", JSON.stringify({ events: missed })));
    }
    for (const { number, type, data } of events.slice(0, MOST_AT_ONCE)) {
      parts.push(event(type, data, `${log.name}-${number}`));
      place = number + 1;
    }
    const newer = log.newer(snapshot);
    if (newer !== undefined && events.length <= MOST_AT_ONCE) {
      snapshot = newer.number;
      parts.push(event("snapshot", newer.data));
    }
    return parts.join("");
  }
}

/** An event as it is written; JSON has no line breaks. */
function event(type: string, data: string, id?: string): string {
  return `${id === undefined ? "" : `id: ${id}\n`}event: ${type}\ndata: ${data}\n\n`;
}
