import { assertEquals, assertRejects } from "@std/assert";
import { App, MemoryCache, Proxy, replayable, SourceError } from "../../mod.ts";
import { add, numbers, openState } from "../_support/numbers.ts";
import { temporaryFolder } from "../_support/temporary.ts";

Deno.test("a flow with state goes on where its state ends", async () => {
  await using folder = await temporaryFolder();
  const seen: number[] = [];
  for (const end of [3, 5]) {
    await using state = await openState(folder.path);
    const { source, begins } = numbers(end);
    const app = new App();
    app.handle(source, async ({ n }) => {
      seen.push(n);
      await add(state, "sum", n);
    }, { name: "sum", state });
    await app.stream();
    assertEquals(begins, [end === 3 ? undefined : 3]);
    assertEquals(await state.get("sum"), end === 3 ? 6 : 15);
    assertEquals(state.size, 1);
  }
  assertEquals(seen, [1, 2, 3, 4, 5]);
});

Deno.test("in a fan-out a flow that is past a message does not see it again", async () => {
  await using ahead = new MemoryCache<number>({ maxBytes: Infinity });
  await using behind = new MemoryCache<number>({ maxBytes: Infinity });
  const first = new App();
  first.handle(numbers(4).source, ({ n }) => add(ahead, "sum", n), { name: "a", state: ahead });
  await first.stream();
  const third = new App();
  third.handle(numbers(2).source, ({ n }) => add(behind, "sum", n), { name: "b", state: behind });
  await third.stream();

  const second = new App();
  const { source, begins } = numbers(6);
  const seen: Record<string, number[]> = { a: [], b: [] };
  second.handle(source, ({ n }) => {
    seen.a!.push(n);
    return add(ahead, "sum", n);
  }, { name: "a", state: ahead });
  second.handle(source, ({ n }) => {
    seen.b!.push(n);
    return add(behind, "sum", n);
  }, { name: "b", state: behind });
  await second.stream();
  assertEquals(begins, [2]);
  assertEquals(seen, { a: [5, 6], b: [3, 4, 5, 6] });
  assertEquals(await ahead.get("sum"), 21);
  assertEquals(await behind.get("sum"), 21);
});

for (const keeps of [true, false]) {
  Deno.test(`a flow ${keeps ? "with" : "without"} state that is added to a replayable source gets all of it`, async () => {
    await using state = new MemoryCache<number>({ maxBytes: Infinity });
    for (const added of [false, true]) {
      const app = new App();
      const { source } = numbers(3);
      app.handle(source, () => add(state, "first", 1), { name: "first", state });
      let seen = 0;
      const count = () => void seen++;
      if (added) app.handle(source, count, keeps ? { name: "second", state } : {});
      await app.stream();
      assertEquals(seen, added ? 3 : 0);
    }
    assertEquals(await state.get("first"), 3);
  });
}

Deno.test("a position that is one object, changed again and again, is stored as it was", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  for (const end of [2, 4]) {
    const at = { offset: 0 };
    const source = replayable<number, { offset: number }>({
      name: "changing",
      read: async function* (position) {
        for (let n = (position?.offset ?? 0) + 1; n <= end; n++) {
          at.offset = n;
          yield n;
        }
      },
      position: () => at,
    });
    const app = new App({ commit: { messages: 1 } });
    app.handle(source, () => add(state, "seen", 1), { name: "f", state });
    await app.stream();
  }
  assertEquals(await state.get("seen"), 4);
});

Deno.test("a position that cannot be kept is an error that says what it is", async () => {
  class Position {}
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  for (const [position, got] of [[new Position(), "Position"], [undefined, "undefined"]]) {
    const source = replayable({
      name: "odd",
      read: async function* () {
        yield 1;
      },
      position: () => position,
    });
    const app = new App();
    app.handle(source, () => {}, { name: "f", state });
    await assertRejects(() => app.stream(), SourceError, `a plain object or an array: got ${got}`);
  }
});

Deno.test("messages behind a Proxy belong to the message that they were made from", async () => {
  await using folder = await temporaryFolder();
  for (const end of [3, 6]) {
    await using state = await openState(folder.path);
    const other = state.space<number>("other");
    const app = new App();
    const proxy = new Proxy<number>();
    const { source, begins } = numbers(end);
    app.handle(source, async function* ({ n }) {
      await add(state, "sum", n);
      yield n;
      yield n;
    }, { name: "first", state, sink: proxy });
    app.handle(proxy, (n) => add(other, "twice", n));
    await app.stream();
    assertEquals(begins, [end === 3 ? undefined : 3]);
    assertEquals(await other.get("twice"), end * (end + 1));
  }
});
