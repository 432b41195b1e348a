import { assertEquals } from "@std/assert";
import { updates } from "../../examples/endpoint.ts";
import { App, MemoryCache } from "../../mod.ts";

/** Serves a store as the example does. */
function serve(store: MemoryCache<string>) {
  const stop = new AbortController();
  const options = { port: 0, hostname: "127.0.0.1", onListen: () => {} };
  const server = Deno.serve(options, (request) => updates(store, request, stop.signal));
  return {
    url: `http://127.0.0.1:${server.addr.port}/updates`,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await server.shutdown();
    },
  };
}

/** Reads `count` events and then lets go of the connection. */
async function read(url: string, count: number, headers: HeadersInit = {}): Promise<string[]> {
  const response = await fetch(url, { headers });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (text.split("\n\n").length <= count) text += (await reader.read()).value;
  await reader.cancel();
  return text.split("\n\n").slice(0, count);
}

/** Reads events until the one with the id `last`. */
async function readRest(response: Response, last: number): Promise<string[]> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const events: string[] = [];
  let partial = "";
  while (!events.at(-1)?.startsWith(`id: ${last}\n`)) {
    const parts = (partial + (await reader.read()).value).split("\n\n");
    partial = parts.pop()!;
    events.push(...parts);
  }
  await reader.cancel();
  return events;
}

Deno.test("endpoint.ts sends what is stored and what comes, to several clients", async () => {
  await using store = new MemoryCache<string>();
  await using served = serve(store);
  await store.set(0, "a");
  const clients = [read(served.url, 3), read(served.url, 3)];
  await store.set(1, "b");
  await store.set(2, "c");
  const expected = ["id: 0\ndata: a", "id: 1\ndata: b", "id: 2\ndata: c"];
  assertEquals(await Promise.all(clients), [expected, expected]);
});

Deno.test("endpoint.ts goes on after Last-Event-ID, as far as the store has it", async () => {
  await using store = new MemoryCache<string>();
  await using served = serve(store);
  for (const [n, text] of ["a", "b", "c", "d"].entries()) await store.set(n, text);
  assertEquals(await read(served.url, 1, { "Last-Event-ID": "2" }), ["id: 3\ndata: d"]);
  assertEquals(await read(served.url, 1, { "Last-Event-ID": "" }), ["id: 0\ndata: a"]);
  await store.delete(1);
  assertEquals(await read(served.url, 1, { "Last-Event-ID": "0" }), ["id: 2\ndata: c"]);
});

Deno.test("endpoint.ts does not hold the flow for a client that does not read", async () => {
  await using store = new MemoryCache<string>({ maxBytes: 1_000_000 });
  await using served = serve(store);
  const slow = await fetch(served.url);
  const app = new App();
  // 20 MB: more than lies between the two in buffers, and than the store has in the end.
  app.handle(Array(20_000).keys(), (n) => [n, `${n}`.padEnd(1_000)] as const, { sink: store });
  await app.stream();
  const [event] = await read(served.url, 1, { "Last-Event-ID": "19998" });
  assertEquals(event!.trimEnd(), "id: 19999\ndata: 19999");
  const ids = (await readRest(slow, 19_999)).map((event) => Number(/^id: (\d+)/.exec(event)![1]));
  assertEquals(ids, ids.toSorted((a, b) => a - b));
  assertEquals(ids.length < 20_000, true);
});
