import { assertEquals, assertGreaterOrEqual, assertLess, assertRejects } from "@std/assert";
import { App, type Cache, MemoryCache, SourceError } from "@slipstream/slipstream";
import { countEdits, events } from "../../examples/source_sse.ts";
import { crashedCopy } from "../_support/crashed_copy.ts";
import { root, runDeno } from "../_support/examples.ts";
import { openState } from "../_support/numbers.ts";
import { temporaryFolder } from "../_support/temporary.ts";

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

/** The command that the head of the example gives, for a server and a folder of a test. */
function command(address: string, folder: string): string[] {
  const permissions = [`--allow-net=${new URL(address).host}`, `--allow-read=${folder}`];
  const script = ["examples/source_sse.ts", address];
  return ["run", "--unstable-kv", ...permissions, `--allow-write=${folder}`, ...script];
}

/** An event that is no edit, after edit `id`. */
function log(id: number): string {
  return `id: ${id}.5\nevent: message\ndata: {"type":"log"}\n\n`;
}

/** The edit after an event. */
function editAfter(lastEventId: string | null): number {
  return Math.floor(Number(lastEventId)) + 1;
}

Deno.test("source_sse goes on after the last event it handled when the connection breaks", async () => {
  await using server = serve(({ lastEventId }, number) => {
    const next = editAfter(lastEventId);
    const two = edit(next) + log(next) + edit(next + 1);
    // The first one breaks within a third event: that one must come again, whole.
    return number === 1
      ? broken(`retry: 1\n\n: comment\n\n${two}id: 3\ndata: {"ty`)
      : eventStream(two);
  });

  await using folder = await temporaryFolder();
  const lines: string[] = [];
  for (const limit of [4, 2]) { // the second run goes on where the first one ended
    lines.push(
      ...await runDeno([
        ...command(server.address, folder.path),
        `${limit}`,
        `${folder.path}/edits`,
      ]),
    );
  }

  // Each exactly once and in order, however much of the broken connection had been handled.
  assertEquals(lines, [1, 2, 3, 4, 5, 6].map((id) => `enwiki ${id}: Edit ${id}, by Ada`));
  const [first, ...others] = server.connections.map(({ lastEventId }) => lastEventId);
  assertEquals(first, null);
  assertGreaterOrEqual(others.length, 2);
  assertEquals(others.map(Number), others.map(Number).toSorted((a, b) => a - b));
  assertEquals(new Set(others).size, others.length);
});

Deno.test("countEdits() counts each edit once when it crashes, and when connections break", async () => {
  const EDITS = 60;
  // Each connection breaks after seven edits: in the middle of the next one.
  await using server = serve(({ lastEventId }) => {
    const first = editAfter(lastEventId);
    if (first > EDITS) return new Response(null, { status: 204 });
    const ids = Array.from({ length: Math.min(7, EDITS + 1 - first) }, (_, index) => first + index);
    const texts = ids.map((id) => edit(id) + log(id));
    return broken(`retry: 1\n\n${texts.join("")}id: 0\ndata: {"ty`);
  });
  await using folder = await temporaryFolder();

  const { promise: crashed, resolve: crash } = Promise.withResolvers<Cache<number>>();
  const seen: string[] = [];
  let durable = 0;
  {
    await using counts = await openState(folder.path);
    const app = new App({
      commit: { messages: 10 },
      onStatus: ({ type }) => void (type === "commit" && (durable ||= seen.length)),
    });
    const sink = async (line: string) => {
      seen.push(line);
      // Some edits after the first commit: what is on disk then is all that a crash leaves.
      if (durable > 0 && seen.length === durable + 5) {
        crash(await crashedCopy(`${folder.path}/state`));
      }
    };
    await countEdits(server.address, counts, { sink, app });
    assertEquals(await counts.get("enwiki"), EDITS);
  }

  await using left = await crashed;
  const before = await left.get("enwiki", 0);
  const again: string[] = [];
  await countEdits(server.address, left, { sink: (line) => void again.push(line) });
  assertGreaterOrEqual(before, 1);
  assertLess(before, EDITS);
  assertEquals(again[0], `enwiki ${before + 1}: Edit ${before + 1}, by Ada`);
  assertEquals(await left.get("enwiki"), EDITS);
  assertEquals([...seen.slice(0, before), ...again], seen); // exact, and nothing is missing
});

Deno.test("countEdits() refuses a server that gives its events no ids", async () => {
  await using server = serve(() => eventStream(`data: {"type":"log"}\n\n`));
  await using counts = new MemoryCache<number>({ maxBytes: Infinity });
  await assertRejects(
    () => countEdits(server.address, counts, { sink: () => {} }),
    SourceError,
    "the server gives it no id",
  );
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
    await using folder = await temporaryFolder();
    const args = [...command(server.address, folder.path), "Infinity", `${folder.path}/edits`];
    const child = new Deno.Command(Deno.execPath(), { args, cwd: root, stdout: "piped" }).spawn();
    const output = child.stdout.getReader();
    await output.read(); // the first edit: it runs
    child.kill("SIGINT");
    assertEquals((await output.read()).done, true);
    assertEquals((await child.status).code, 0);
  },
});
