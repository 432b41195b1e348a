import { assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { App, type Context, handle, sequential } from "../../mod.ts";
import { settle } from "../../src/testing/mod.ts";
import { Recorder } from "../_support/recorder.ts";

Deno.test("handle() takes a plain function, an async one, a generator and an async generator", async () => {
  const seen: Record<string, number[]> = {
    plain: [],
    async: [],
    generator: [],
    asyncGenerator: [],
  };
  const app = new App();
  const numbers = [1, 2];
  app.handle(numbers, (n) => n * 10, { sink: (n) => seen.plain!.push(n) });
  app.handle(numbers, async (n) => {
    await settle();
    return n * 10;
  }, { sink: (n) => seen.async!.push(n) });
  app.handle(numbers, function* (n) {
    yield n;
    yield n * 10;
  }, { sink: (n) => seen.generator!.push(n) });
  app.handle(numbers, async function* (n) {
    yield n;
    await settle();
    yield n * 10;
  }, { sink: (n) => seen.asyncGenerator!.push(n) });
  await app.stream();
  assertEquals(seen, {
    plain: [10, 20],
    async: [10, 20],
    generator: [1, 10, 2, 20],
    asyncGenerator: [1, 10, 2, 20],
  });
});

Deno.test("handle() takes a handler without parameters", async () => {
  let calls = 0;
  const app = new App();
  app.handle([1, 2], () => calls++);
  await app.stream();
  assertEquals(calls, 2);
});

Deno.test("a handler is always called with exactly message and context", async () => {
  const calls: unknown[][] = [];
  const app = new App();
  app.handle(["a"], (...args: unknown[]) => void calls.push(args));
  await app.stream();
  assertEquals(calls.map((args) => args.length), [2]);
  assertEquals(calls[0]![0], "a");
});

Deno.test("context has the arguments of stream(), the signals and the attempt", async () => {
  const contexts: Context<{ limit: number }>[] = [];
  const app = new App<{ limit: number }>();
  app.handle(["a"], (_letter, context) => void contexts.push({ ...context }));
  const args = { limit: 3 };
  await app.stream({ args });
  const [context] = contexts;
  assertStrictEquals(context!.args, args);
  assertEquals(context!.attempt, 1);
  assertInstanceOf(context!.signal, AbortSignal);
  assertInstanceOf(context!.stopping, AbortSignal);
});

Deno.test("handle() returns the handler itself, so that it can be called in a test", () => {
  const app = new App();
  const double = (n: number) => n * 2;
  assertStrictEquals(app.handle([1], double), double);
  assertStrictEquals(app.handle([1], double, { sink: () => {} }), double);
  assertEquals(new App().handle([1], (n) => n * 2)(4), 8);
  const stream = new TransformStream<number, number>();
  assertStrictEquals(app.handle([1], stream), stream);
});

Deno.test("handle() of the module does not need its app", () => {
  const handler = () => {};
  const unbound = handle;
  assertStrictEquals(unbound([], handler), handler);
});

Deno.test("a method as handler is not called on something else than undefined", async () => {
  const receivers: unknown[] = [];
  const app = new App();
  app.handle([1], function (this: unknown) {
    receivers.push(this);
  });
  await app.stream();
  assertEquals(receivers, [undefined]);
});

Deno.test("the handler is never called for a message before the one before is done", async () => {
  for (const sink of [() => {}, () => settle()]) {
    let active = 0;
    let most = 0;
    const app = new App();
    app.handle([1, 2, 3], async function* () {
      most = Math.max(most, ++active);
      yield 1;
      await settle();
      yield 2;
      active--;
    }, { sink });
    await app.stream();
    assertEquals(most, 1);
  }
});

Deno.test("a TransformStream as handler sends every chunk that comes out to the sinks", async () => {
  const seen: string[] = [];
  const app = new App();
  app.handle(
    [1, 2],
    new TransformStream<number, string>({
      transform(n, controller) {
        controller.enqueue(`${n}a`);
        controller.enqueue(`${n}b`);
      },
      flush: (controller) => controller.enqueue("end"),
    }),
    { sink: (text) => seen.push(text) },
  );
  await app.stream();
  assertEquals(seen, ["1a", "1b", "2a", "2b", "end"]);
});

Deno.test("an identity TransformStream as handler passes every message on (deno#36790)", async () => {
  const seen: number[] = [];
  const numbers = Array.from({ length: 600 }, (_, index) => index);
  const app = new App();
  app.handle(numbers, new TransformStream<number, number>(), { sink: (n) => seen.push(n) });
  await app.stream();
  assertEquals(seen, numbers);
});

Deno.test("a TransformStream of the platform as handler works on real bytes", async () => {
  const bytes: Uint8Array[] = [];
  const app = new App();
  app.handle(["grüße", " ", "🐟"], new TextEncoderStream(), { sink: (chunk) => bytes.push(chunk) });
  await app.stream();
  assertEquals(await new Blob(bytes as BlobPart[]).text(), "grüße 🐟");
});

Deno.test("a TransformStream whose output comes late still passes everything on", async () => {
  const text = "slipstream ".repeat(2000);
  const app = new App();
  const sunk: Uint8Array[] = [];
  const encoded = new TextEncoder().encode(text);
  const chunks = [encoded.slice(0, 5000), encoded.slice(5000)];
  app.handle(chunks, new CompressionStream("gzip"), { sink: (chunk) => sunk.push(chunk) });
  await app.stream();
  const unzipped = new Blob(sunk as BlobPart[]).stream().pipeThrough(
    new DecompressionStream("gzip"),
  );
  assertEquals(await new Response(unzipped).text(), text);
});

Deno.test("a TransformStream as handler takes the next message after its outputs are sunk", async () => {
  const events: string[] = [];
  function* source() {
    for (const n of [1, 2]) {
      events.push(`asked for ${n}`);
      yield n;
    }
  }
  const app = new App();
  app.handle(
    source(),
    new TransformStream<number, number>({
      transform(n, controller) {
        controller.enqueue(n);
        controller.enqueue(n * 10);
      },
    }),
    {
      sink: async (n) => {
        await settle();
        events.push(`sunk ${n}`);
      },
    },
  );
  await app.stream();
  assertEquals(events, ["asked for 1", "sunk 1", "sunk 10", "asked for 2", "sunk 2", "sunk 20"]);
});

Deno.test("a TransformStream as handler acknowledges what came before an output that is sunk", async () => {
  const numbers = new Recorder([0, 1, 2]);
  const seen: unknown[] = [];
  const app = new App();
  app.handle(
    numbers,
    sequential(
      new TransformStream<number, string>({
        transform(n, controller) {
          controller.enqueue(`${n}a`);
          controller.enqueue(`${n}b`);
        },
      }),
    ),
    {
      sink: async (text) => {
        await settle();
        seen.push([text, numbers.ackedTo]);
      },
    },
  );
  await app.stream();
  assertEquals(seen, [["0a", 0], ["0b", 0], ["1a", 1], ["1b", 1], ["2a", 2], ["2b", 2]]);
  assertEquals(numbers.ackedTo, 3);
});
