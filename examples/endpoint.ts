/**
 * A streaming endpoint: server-sent events of what a flow stores, for any number of clients.
 *
 * Each event has its number as `id:`, and a client that comes back with `Last-Event-ID` gets what it has
 * missed, as far as the store still has it. A slow client reads later from the store; it holds nobody.
 *
 * Ticks until Ctrl-C, or as often as the first argument says; the second is the interval in milliseconds.
 *
 * ```sh
 * deno run --allow-read --allow-write --allow-net examples/endpoint.ts 0
 * ```
 *
 * ```text
 * Try: curl -N http://127.0.0.1:8000/updates
 * ```
 *
 * @module
 */
import { Cache, handle, stream } from "@slipstream/slipstream";
import { delay } from "@std/async/delay";

/** Resolves at the next write, and says whether there was one. Nothing is queued for who waits no more. */
async function bell(store: Cache<string>, signal: AbortSignal): Promise<boolean> {
  const updates = store.updates({ overflow: "latest", signal });
  const { done } = await updates.next();
  await updates.return!();
  return !done;
}

/** Answers with the entries after `Last-Event-ID`, those that are there and those to come. */
export function updates(store: Cache<string>, request: Request, stopping: AbortSignal): Response {
  const seen = request.headers.get("Last-Event-ID");
  let next = /^\d+$/.test(seen ?? "") ? Number(seen) + 1 : 0;
  const gone = new AbortController();
  const signal = AbortSignal.any([stopping, gone.signal]);

  async function* events(): AsyncGenerator<string> {
    for (;;) {
      // Before reading, so that no write is missed: what was written is read at the speed of this client.
      const rung = bell(store, signal);
      for await (const [id, text] of store.entries({ from: next })) {
        yield `id: ${id}\ndata: ${text}\n\n`;
        next = Number(id) + 1;
      }
      if (!await rung) return;
    }
  }

  const source = events();
  const body = new ReadableStream<string>({
    async pull(controller) {
      const { done, value } = await source.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: () => gone.abort(),
  });
  return new Response(body.pipeThrough(new TextEncoderStream()), {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
  });
}

async function* timer(count: number, intervalMs: number): AsyncGenerator<string> {
  for (let tick = 0; tick < count; tick++) {
    await delay(intervalMs);
    yield new Date().toISOString().slice(11, 19);
  }
}

if (import.meta.main) {
  const [count = "Infinity", intervalMs = "1000"] = Deno.args;
  await using store = await Cache.open<string>("state/ticks", { maxBytes: 1_000_000 });
  const [last] = await Array.fromAsync(store.keys({ reverse: true, limit: 1 }));
  let number = Number(last ?? -1);

  const stop = new AbortController();
  const onListen = ({ port }: Deno.NetAddr) =>
    console.log(`Try: curl -N http://127.0.0.1:${port}/updates`);
  await using _server = Deno.serve({ port: 8000, onListen }, (request) => {
    if (new URL(request.url).pathname === "/updates") return updates(store, request, stop.signal);
    return new Response("See /updates\n", { status: 404 });
  });

  handle(timer(Number(count), Number(intervalMs)), (text) => [++number, text] as const, {
    sink: store,
  });
  await stream();
  stop.abort();
}
