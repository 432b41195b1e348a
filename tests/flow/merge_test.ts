import { assert, assertEquals, assertRejects } from "@std/assert";
import { App, batch, type Clock, merge, type Source, SourceError } from "../../mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { Recorder } from "../_support/recorder.ts";

function* always(name: string): Generator<string> {
  for (;;) yield name;
}

async function* alwaysLater(name: string): AsyncGenerator<string> {
  for (;;) yield name;
}

/** Reads 3,000 messages of `sources`, merged, and returns how many each gave. */
async function shares(sources: Source<string>[], clock?: Clock) {
  const controller = new AbortController();
  const counts: Record<string, number> = {};
  let total = 0;
  const app = new App({ clock });
  app.handle(merge(...sources), (name) => {
    counts[name] = (counts[name] ?? 0) + 1;
    if (++total === 3000) controller.abort();
  });
  await app.stream({ signal: controller.signal });
  return counts;
}

Deno.test("merge() lets sources that always have a message take turns", async () => {
  for (const kind of [always, alwaysLater]) {
    // Time stands still: a yield to the event loop, when 8 ms are over, would skip a turn of one of them.
    const counts = await shares([kind("a"), kind("b"), kind("c")], new ManualClock());
    for (const name of ["a", "b", "c"]) {
      assert(Math.abs(counts[name]! - 1000) < 10, `${name} got ${counts[name]} of 3000`);
    }
  }
});

Deno.test("merge() lets no source that never waits starve one that has to be awaited", async () => {
  const counts = await shares([always("a"), always("b"), alwaysLater("c")]);
  assert(counts.c! > 600, `c got ${counts.c} of 3000`);
});

Deno.test("merge() leaves timers their turn when its sources always have a message", async () => {
  let handled = 0;
  const app = new App();
  app.handle(merge(always("a"), always("b")), () => void handled++);
  await app.stream({ signal: AbortSignal.timeout(30) });
  assert(handled > 64);
});

Deno.test("merge() keeps the order of each source", async () => {
  const seen: string[] = [];
  async function* slow() {
    for (const letter of "xyz") {
      await settle();
      yield letter;
    }
  }
  const app = new App();
  app.handle(merge("abc", slow()), (letter) => void seen.push(letter));
  await app.stream();
  assertEquals(seen.filter((letter) => letter < "d"), ["a", "b", "c"]);
  assertEquals(seen.filter((letter) => letter > "d"), ["x", "y", "z"]);
});

Deno.test("merge() goes on with the others when one source ends early", async () => {
  const seen: unknown[] = [];
  const app = new App();
  app.handle(merge([1], "abcd", []), (message) => void seen.push(message));
  await app.stream();
  assertEquals(seen, [1, "a", "b", "c", "d"]);
});

Deno.test("merge() calls the handler for one message at a time", async () => {
  let active = 0;
  let most = 0;
  const app = new App();
  app.handle(merge([1, 2, 3], [4, 5, 6], [7, 8, 9]), async () => {
    most = Math.max(most, ++active);
    await settle();
    active--;
  });
  await app.stream();
  assertEquals(most, 1);
});

Deno.test("merge() ends the app when one source fails; its message in flight is finished", async () => {
  const seen: unknown[] = [];
  let closed = false;
  function* endless() {
    try {
      for (;;) yield "a";
    } finally {
      closed = true;
    }
  }
  async function* failing() {
    yield 1;
    await settle();
    throw new Error("broken");
  }
  const app = new App();
  app.handle(merge(endless(), failing()), (message) => void seen.push(message), { name: "both" });
  const error = await assertRejects(() => app.stream(), SourceError, "broken");
  assertEquals(error.others, []);
  assertEquals(seen.filter((message) => message === 1), [1]);
  assert(closed);
});

Deno.test("merge() acknowledges the messages of each source by themselves", async () => {
  const [letters, numbers] = [new Recorder(["a", "b"]), new Recorder([1, 2, 3])];
  const acknowledged: unknown[] = [];
  const app = new App();
  app.handle(merge(letters, numbers), async (message) => {
    await settle();
    acknowledged.push([message, letters.ackedTo, numbers.ackedTo]);
  });
  await app.stream();
  assertEquals(acknowledged, [["a", 0, 0], [1, 1, 0], ["b", 1, 1], [2, 2, 1], [3, 2, 2]]);
  assertEquals([letters.ackedTo, numbers.ackedTo], [2, 3]);
});

Deno.test("merge() pauses one source while the others flow", async () => {
  const seen: unknown[] = [];
  const [letters, numbers] = [["a", "b", "c"], [1, 2]];
  const app = new App();
  app.handle(merge(letters, numbers), (message) => {
    seen.push(message);
    if (message === "a") app.pause(letters);
    if (message === 2) app.resume(letters);
  });
  await app.stream();
  assertEquals(seen, ["a", 1, 2, "b", "c"]);
});

Deno.test("merge() of merges reads each source object once", async () => {
  const seen: unknown[] = [];
  const numbers = [1, 2];
  const app = new App();
  app.handle(merge(merge(numbers, ["a"]), numbers), (message) => void seen.push(message));
  await app.stream();
  assertEquals(seen, [1, "a", 2]);
});

Deno.test("merge() reads equal strings as two sources", async () => {
  const seen: string[] = [];
  const app = new App();
  app.handle(merge("ab", "ab"), (letter) => void seen.push(letter));
  await app.stream();
  assertEquals(seen, ["a", "a", "b", "b"]);
});

Deno.test("merge() of nothing ends at once", async () => {
  const app = new App();
  app.handle(merge(), () => {});
  await app.stream();
});

Deno.test("merge() of one source is that source", async () => {
  const seen: number[] = [];
  const app = new App();
  app.handle(merge([1, 2]), (message) => void seen.push(message));
  await app.stream();
  assertEquals(seen, [1, 2]);
});

Deno.test("merge() beside a flow of one of its sources keeps them in lock-step", async () => {
  const numbers = new Recorder([1, 2]);
  const seen: string[] = [];
  const app = new App();
  app.handle(merge(numbers, "ab"), async (message) => {
    await settle();
    seen.push(`both ${message}`);
  });
  app.handle(numbers, (message) => void seen.push(`numbers ${message}`));
  await app.stream();
  assertEquals(seen.filter((line) => /\d/.test(line)), [
    "numbers 1",
    "both 1",
    "numbers 2",
    "both 2",
  ]);
  assertEquals(numbers.acknowledged, [0, 1]);
});

Deno.test("merge() lets a batch behind it pass on what is left only when all sources have ended", async () => {
  const app = new App();
  const seen: number[] = [];
  async function* slow(...numbers: number[]) {
    for (const n of numbers) {
      await settle();
      yield n;
    }
  }
  app.handle(merge(slow(1, 2), slow(3)), batch(2), (some) => void seen.push(...some));
  await app.stream();
  assertEquals(seen.toSorted(), [1, 2, 3]);
});
