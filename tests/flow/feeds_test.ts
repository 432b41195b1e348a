import { assertEquals, assertStrictEquals } from "@std/assert";
import { App } from "../../mod.ts";
import { settle } from "../../src/testing/mod.ts";
import { messagesOf } from "../_support/messages_of.ts";

Deno.test("an array is one source of its elements", async () => {
  assertEquals(await messagesOf([1, 2, 3]), [1, 2, 3]);
});

Deno.test("an array of objects gives each object itself", async () => {
  const objects = [{ id: 1 }, { id: 2 }];
  const messages = await messagesOf(objects);
  assertStrictEquals(messages[0], objects[0]);
  assertStrictEquals(messages[1], objects[1]);
  assertEquals(messages.length, 2);
});

Deno.test("an array of arrays is one source of arrays, not several sources", async () => {
  assertEquals(await messagesOf([[1, 2], [3]]), [[1, 2], [3]]);
});

Deno.test("an array with undefined and null gives them to the handler", async () => {
  assertEquals(await messagesOf([undefined, null, 0, ""]), [undefined, null, 0, ""]);
});

Deno.test("a Set gives its members", async () => {
  assertEquals(await messagesOf(new Set(["a", "b", "a"])), ["a", "b"]);
});

Deno.test("a Map gives its entries", async () => {
  assertEquals(await messagesOf(new Map([["a", 1], ["b", 2]])), [["a", 1], ["b", 2]]);
});

Deno.test("a string gives its characters, those outside of the basic plane whole", async () => {
  assertEquals(await messagesOf("a🐟b"), ["a", "🐟", "b"]);
});

Deno.test("a generator gives its yields; its return value is ignored", async () => {
  function* source() {
    yield 1;
    yield 2;
    return 3;
  }
  assertEquals(await messagesOf<number>(source()), [1, 2]);
});

Deno.test("an async generator gives its yields; its return value is ignored", async () => {
  async function* source() {
    yield 1;
    await settle();
    yield 2;
    return 3;
  }
  assertEquals(await messagesOf<number>(source()), [1, 2]);
});

Deno.test("a ReadableStream gives its chunks and is unlocked at its end", async () => {
  const stream = ReadableStream.from(["a", "b"]);
  assertEquals(await messagesOf(stream), ["a", "b"]);
  assertEquals(stream.locked, false);
});

Deno.test("an empty source ends the app without a message", async () => {
  assertEquals(await messagesOf([]), []);
  assertEquals(await messagesOf(""), []);
  assertEquals(await messagesOf((async function* () {})()), []);
  assertEquals(await messagesOf(ReadableStream.from([])), []);
});

Deno.test("a source longer than many turns gives every message once, in order", async () => {
  const numbers = Array.from({ length: 1000 }, (_, index) => index);
  assertEquals(await messagesOf(numbers), numbers);
  async function* source() {
    yield* numbers;
  }
  assertEquals(await messagesOf(source()), numbers);
});

Deno.test("a source is asked for the next message only after the one before is done", async () => {
  const events: string[] = [];
  async function* source() {
    for (const n of [1, 2]) {
      events.push(`asked for ${n}`);
      yield n;
    }
  }
  const app = new App();
  app.handle(source(), async (n) => {
    await settle();
    return n;
  }, {
    sink: async (n) => {
      await settle();
      events.push(`sunk ${n}`);
    },
  });
  await app.stream();
  assertEquals(events, ["asked for 1", "sunk 1", "asked for 2", "sunk 2"]);
});

Deno.test("a hand-written iterator is read to its end and not closed then", async () => {
  let next = 0;
  let returned = 0;
  const iterator = {
    [Symbol.iterator]: () => iterator,
    next: () => next < 2 ? { done: false, value: next++ } : { done: true, value: undefined },
    return: () => {
      returned++;
      return { done: true, value: undefined };
    },
  } as IterableIterator<number>;
  assertEquals(await messagesOf(iterator), [0, 1]);
  assertEquals(returned, 0);
});

Deno.test("a hand-written async iterator is read to its end and not closed then", async () => {
  let next = 0;
  let returned = 0;
  const iterator: AsyncIterableIterator<number> = {
    [Symbol.asyncIterator]: () => iterator,
    next: () =>
      Promise.resolve(
        next < 2 ? { done: false, value: next++ } : { done: true, value: undefined },
      ),
    return: () => {
      returned++;
      return Promise.resolve({ done: true, value: undefined });
    },
  };
  assertEquals(await messagesOf(iterator), [0, 1]);
  assertEquals(returned, 0);
});
