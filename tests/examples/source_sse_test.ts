import { assertEquals, assertGreaterOrEqual, assertLess, assertRejects } from "@std/assert";
import { App } from "@slipstream/slipstream";
import { events } from "../../examples/source_sse.ts";
import { root, runDeno } from "../_support/examples.ts";

/** What one connection was asked, and how its answer goes. */
interface Connection {
  lastEventId: string | null;
}

/** Serves `answer` on a free port; keeps what each connection asked for. */
function serve(answer: (connection: Connection, number: number) => Response) {
  const connections: Connection[] = [];
  const server = Deno.serve({ port: 0, onListen: () => {} }, (request) => {
    const connection = { lastEventId: request.headers.get("last-event-id") };
    connections.push(connection);
    return answer(connection, connections.length);
  });
  return {
    connections,
    address: `http://127.0.0.1:${server.addr.port}/`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function eventStream(body: BodyInit): Response {
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

/** An answer that breaks after `text`: it had promised more. */
function broken(text: string): Response {
  const headers = { "content-type": "text/event-stream", "content-length": "1000000" };
  return new Response(ReadableStream.from([new TextEncoder().encode(text)]), { headers });
}

function edit(id: number): string {
  const change = { type: "edit", wiki: "enwiki", title: `Edit ${id}`, user: "Ada" };
  return `id: ${id}\nevent: message\ndata: ${JSON.stringify(change)}\n\n`;
}

const log = `event: message\ndata: {"type":"log"}\n\n`;

Deno.test("source_sse goes on after the last event it handled when the connection breaks", async () => {
  await using server = serve(({ lastEventId }, number) => {
    const next = Number(lastEventId) + 1;
    const two = edit(next) + log + edit(next + 1);
    // The first one breaks within a third event: that one must come again, whole.
    return number === 1
      ? broken(`retry: 1\n\n: comment\n\n${two}id: 3\ndata: {"ty`)
      : eventStream(two);
  });

  const permission = `--allow-net=${new URL(server.address).host}`;
  const lines = await runDeno(["run", permission, "examples/source_sse.ts", server.address, "6"]);

  // Each exactly once and in order, however much of the broken connection had been handled.
  assertEquals(lines, [1, 2, 3, 4, 5, 6].map((id) => `enwiki: Edit ${id}, by Ada`));
  const [first, ...others] = server.connections.map(({ lastEventId }) => lastEventId);
  assertEquals(first, null);
  assertGreaterOrEqual(others.length, 2);
  assertEquals(others.map(Number), others.map(Number).toSorted((a, b) => a - b));
  assertEquals(new Set(others).size, others.length);
});

Deno.test("events() tries again while the server is unavailable and ends with 204", async () => {
  await using server = serve((_connection, number) => {
    if (number === 1) return new Response("later", { status: 503 });
    if (number === 2) return eventStream("data: a\n\n");
    return new Response(null, { status: 204 });
  });

  const received = await Array.fromAsync(events(server.address, { retryMs: 1 }));

  assertEquals(received.map(({ data }) => data), ["a"]);
  assertEquals(server.connections.length, 3);
});

Deno.test("events() throws when the server refuses", async () => {
  await using server = serve(() => new Response("no", { status: 404 }));
  await assertRejects(
    () => Array.fromAsync(events(server.address)),
    Error,
    `Cannot stream "${server.address}": the server answered 404`,
  );
});

Deno.test("events() ends its wait for the next connection when its signal aborts", async () => {
  const stop = new AbortController();
  await using server = serve(() => {
    stop.abort(new Error("Enough"));
    return new Response("later", { status: 503 });
  });
  await assertRejects(
    () => Array.fromAsync(events(server.address, { signal: stop.signal, retryMs: 3_600_000 })),
    Error,
    "Enough",
  );
});

Deno.test("events() lets the server wait while a handler is slow", async () => {
  const COUNT = 2_000;
  const padding = "x".repeat(64 * 1024); // 128 MB in all: far more than the sockets hold
  let sent = 0;
  const quiet = Promise.withResolvers<void>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  await using server = serve(() => {
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        clearTimeout(timer);
        if (sent === COUNT) {
          quiet.resolve();
          return controller.close();
        }
        controller.enqueue(new TextEncoder().encode(`id: ${sent}\ndata: ${sent} ${padding}\n\n`));
        sent++;
        timer = setTimeout(() => quiet.resolve(), 500); // not asked for more for half a second
      },
    }, { highWaterMark: 0 });
    return eventStream(body);
  });

  const handled: number[] = [];
  const ended = new AbortController();
  const app = new App();
  app.handle(events(server.address, { signal: ended.signal }), async ({ data }) => {
    if (handled.length === 0) {
      await quiet.promise;
      assertLess(sent, COUNT / 2, "the server sent on although nobody read");
    }
    handled.push(parseInt(data));
    if (handled.length === COUNT) ended.abort();
  });
  await app.stream({ signal: ended.signal });
  clearTimeout(timer);

  assertEquals(handled, Array.from({ length: COUNT }, (_, index) => index));
});

Deno.test({
  name: "source_sse ends at Ctrl-C while the server says nothing",
  ignore: Deno.build.os === "windows", // no signals to send there
  async fn() {
    await using server = serve(() =>
      eventStream(
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode(edit(1))),
        }),
      )
    );
    const args = ["run", "--allow-net", "examples/source_sse.ts", server.address];
    const child = new Deno.Command(Deno.execPath(), { args, cwd: root, stdout: "piped" }).spawn();
    const output = child.stdout.getReader();
    await output.read(); // the first edit: it runs
    child.kill("SIGINT");
    assertEquals((await output.read()).done, true);
    assertEquals((await child.status).code, 0);
  },
});
