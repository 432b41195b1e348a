import { assert, assertEquals } from "@std/assert";
import { App } from "../../mod.ts";
import { systemClock } from "../../src/clock.ts";
import { settle } from "../../src/testing/mod.ts";
import { Recorder } from "../_support/recorder.ts";

Deno.test("flows of one source each get every message, in the order in which they were bound", async () => {
  const numbers = [1, 2];
  const seen: string[] = [];
  const app = new App();
  for (const name of ["a", "b", "c"]) app.handle(numbers, (n) => void seen.push(name + n));
  await app.stream();
  assertEquals(seen, ["a1", "b1", "c1", "a2", "b2", "c2"]);
});

Deno.test("flows of one source wait side by side, and the next message waits for all", async () => {
  const numbers = new Recorder([1, 2]);
  const events: string[] = [];
  const app = new App();
  for (const [name, turns] of [["a", 3], ["b", 1]] as const) {
    app.handle(numbers, async (n) => {
      events.push(`${name}${n} starts`);
      for (let turn = 0; turn < turns; turn++) await settle();
      events.push(`${name}${n} done, ${numbers.acknowledged.length} acknowledged`);
    });
  }
  await app.stream();
  assertEquals(events, [
    "a1 starts",
    "b1 starts",
    "b1 done, 0 acknowledged",
    "a1 done, 0 acknowledged",
    "a2 starts",
    "b2 starts",
    "b2 done, 1 acknowledged",
    "a2 done, 1 acknowledged",
  ]);
  assertEquals(numbers.acknowledged, [0, 1]);
});

Deno.test("flows of one source read it once", async () => {
  const numbers = new Recorder([1, 2, 3]);
  const app = new App();
  for (let flow = 0; flow < 4; flow++) app.handle(numbers, () => {});
  await app.stream();
  assertEquals([numbers.handedOut, numbers.cancelled], [3, 1]);
});

Deno.test("one handler bound twice to a source is two flows", async () => {
  const seen: number[] = [];
  const numbers = [1, 2];
  const handler = (n: number) => void seen.push(n);
  const app = new App();
  app.handle(numbers, handler);
  app.handle(numbers, handler);
  await app.stream();
  assertEquals(seen, [1, 1, 2, 2]);
});

Deno.test("equal strings are sources of their own", async () => {
  const seen: string[] = [];
  const app = new App();
  app.handle("ab", (letter) => void seen.push(letter));
  app.handle("ab", (letter) => void seen.push(letter.toUpperCase()));
  await app.stream();
  assertEquals(seen.toSorted(), ["A", "B", "a", "b"]);
});

Deno.test("a message is acknowledged after its last output is in every sink", async () => {
  const numbers = new Recorder([1, 2]);
  const sunk: unknown[] = [];
  const app = new App();
  app.handle(numbers, function* (n) {
    yield `${n}a`;
    yield `${n}b`;
  }, {
    sink: [(value) => void sunk.push([value, numbers.ackedTo]), async (value) => {
      await settle();
      sunk.push([value, numbers.ackedTo]);
    }],
  });
  await app.stream();
  assertEquals(sunk, [
    ["1a", 0],
    ["1a", 0],
    ["1b", 0],
    ["1b", 0],
    ["2a", 1],
    ["2a", 1],
    ["2b", 1],
    ["2b", 1],
  ]);
  assertEquals(numbers.ackedTo, 2);
});

Deno.test("a message without outputs is acknowledged when its handler is done", async () => {
  const numbers = new Recorder([1, 2]);
  const ackedTo: number[] = [];
  const app = new App();
  app.handle(numbers, async () => {
    await settle();
    ackedTo.push(numbers.ackedTo);
  });
  await app.stream();
  assertEquals([ackedTo, numbers.ackedTo], [[0, 1], 2]);
});

Deno.test("a source is asked for its first message at once, however long the start has taken", async () => {
  let now = 0;
  const app = new App({ clock: { ...systemClock, monotonic: () => now += 1_000 } });
  let handled = false;
  app.handle([1], () => void (handled = true));
  const streaming = app.stream();
  await settle();
  assert(handled);
  await streaming;
});
