import { assertEquals } from "@std/assert";
import { App, MemoryCache, Proxy } from "../../mod.ts";
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

Deno.test("messages behind a Proxy belong to the message that they were made from", async () => {
  await using folder = await temporaryFolder();
  for (const end of [3, 6]) {
    await using state = await openState(folder.path);
    const other = state.space<number>("other", { maxBytes: Infinity });
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
