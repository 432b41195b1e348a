import { assertEquals } from "@std/assert";
import { App, MemoryCache, replayable } from "../../mod.ts";
import { count, sum, tumbling } from "../../src/windows/mod.ts";

interface Click {
  readonly key: string;
  readonly timestamp: number;
  readonly amount: number;
}

function click(key: string, timestamp: number, amount = 1): Click {
  return { key, timestamp, amount };
}

const perMinute = () =>
  tumbling({
    size: { minutes: 1 },
    into: { n: count(), total: sum((click: Click) => click.amount) },
  });

Deno.test("tumbling() closes windows in the order of time, and the rest at the end of the source", async () => {
  const app = new App();
  const seen: unknown[] = [];
  const clicks = [click("a", 0), click("b", 1, 5), click("a", 59_999, 2), click("a", 60_000, 7)];
  app.handle(clicks, perMinute(), ({ key, start, end, value, id, revision, final, replaces }) => {
    return { key, start, end, value, id, revision, final, replaces };
  }, { sink: (result) => seen.push(result) });
  await app.stream();
  const rest = { revision: 1, final: true, replaces: [] };
  assertEquals(seen, [
    { key: "a", start: 0, end: 60_000, value: { n: 2, total: 3 }, id: "0/a/0", ...rest },
    { key: "b", start: 0, end: 60_000, value: { n: 1, total: 5 }, id: "0/b/0", ...rest },
    { key: "a", start: 60_000, end: 120_000, value: { n: 1, total: 7 }, id: "0/a/60000", ...rest },
  ]);
});

Deno.test("tumbling() with state goes on where its state ends", async () => {
  const all = [
    click("a", 0),
    click("a", 1),
    click("a", 60_000),
    click("a", 60_001),
    click("a", 120_000),
  ]
    .map((click, index) => ({ ...click, next: index + 1 }));
  let end = 3;
  const source = replayable({
    name: "clicks",
    read: async function* (from: number = 0) {
      yield* all.slice(from, end);
    },
    position: ({ next }) => next,
  });
  await using state = new MemoryCache({ maxBytes: Infinity });
  const seen: unknown[] = [];
  const app = new App();
  app.handle(source, perMinute(), ({ start, value: { n }, revision, final }) => {
    return [start, n, revision, final];
  }, { name: "count", state, sink: (result) => seen.push(result) });
  await app.stream();
  assertEquals(seen, [[0, 2, 1, true], [60_000, 1, 1, true]]);
  end = 5;
  await app.stream();
  assertEquals(seen.slice(2), [[60_000, 2, 2, true], [120_000, 1, 1, true]]);
  await app.stream();
  assertEquals(seen.length, 4);
});
