/** The numbered rules of NEXT.md, section 3, one after the other. */
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  App,
  batch,
  Cache,
  deadLetter,
  filter,
  flatMap,
  type HandlerError,
  MemoryCache,
  Proxy,
} from "../../mod.ts";
import type { ExactPipe } from "../../src/flow/stage/exact_pipes.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import { ManualClock } from "../../src/testing/mod.ts";
import {
  collect,
  count,
  countWindow,
  fold,
  hopping,
  type Late,
  session,
  sliding,
  sum,
  tumbling,
  type WindowResult,
} from "../../src/windows/mod.ts";
import { temporaryFolder } from "../_support/temporary.ts";
import { at, MINUTE, minutes, Running } from "../_support/running_window.ts";
import { type Timed, WindowSource } from "../_support/window_source.ts";

Deno.test("rule 1: the watermark is the greatest time less outOfOrderness, and never goes back", async () => {
  const source = new WindowSource();
  await using running = new Running(source, minutes({ outOfOrderness: 5_000 }));
  source.send([at(0), at(MINUTE + 4_999)]);
  assertEquals(await running.given(), []);
  source.send([at(59_999), at(MINUTE + 5_000)]); // the first is in time
  assertEquals(await running.given(), [["0/a/0", 2, 1, true]]);
  source.send([at(10), at(MINUTE + 5_000)]); // late, though the watermark's message came again
  assertEquals(await running.given(), []);
});

Deno.test("rule 1: a backlog of two hours is not late after a restart", async () => {
  const source = new WindowSource();
  const state = new MemoryCache({ maxBytes: Infinity });
  const clock = new ManualClock(1_000_000_000);
  {
    await using running = new Running(source, minutes(), state, clock);
    source.send([at(clock.now())]);
    assertEquals(await running.given(), []);
  }
  const begin = clock.now();
  for (let minute = 1; minute <= 120; minute++) source.send([at(begin + minute * MINUTE)]);
  await clock.tick(120 * MINUTE);
  await using running = new Running(source, minutes(), state, clock);
  const given = await running.given();
  assertEquals(given.length, 120);
  assert(given.every((each) => (each as unknown[])[1] === 1));
});

Deno.test("rule 2: one key on two partitions is two windows, each closed by its own watermark", async () => {
  const source = new WindowSource(2);
  await using running = new Running(source, minutes());
  source.send([at(0), at(1)], 0);
  source.send([at(2), at(MINUTE)], 1);
  assertEquals(await running.given(), [["1/a/0", 1, 1, true]]);
  source.send([at(MINUTE)], 0);
  assertEquals(await running.given(), [["0/a/0", 2, 1, true]]);
});

Deno.test("rule 2: where by is a function, partitions are merged in their order when the least has passed", async () => {
  const source = new WindowSource(2);
  const window = tumbling({
    size: MINUTE,
    by: ({ key }: Timed) => key,
    idle: "hold",
    into: collect({ max: 10, of: ({ timestamp }: Timed) => timestamp }),
  });
  await using running = new Running(source, window);
  source.send([at(3), at(MINUTE)], 1);
  await running.given();
  source.send([at(1), at(2)], 0);
  assertEquals(await running.given(), []); // partition 0 is behind
  source.send([at(4)], 1); // late by its own watermark, though the window is open
  source.send([at(5), at(MINUTE)], 0);
  assertEquals(await running.given(), [["*/a/0", [1, 2, 5, 3], 1, true]]);
});

Deno.test("rule 2: a partition that appears begins with the least watermark of the others", async () => {
  const source = new WindowSource(1);
  await using running = new Running(source, minutes({ by: ({ key }: Timed) => key }));
  source.send([at(0), at(MINUTE)]);
  assertEquals(await running.given(), [["*/a/0", 1, 1, true]]);
  source.grow();
  source.send([at(10), at(MINUTE + 1)], 1); // the first is late: its window has closed
  source.send([at(2 * MINUTE)], 0);
  assertEquals(await running.given(), []); // partition 1 holds it open
  source.send([at(2 * MINUTE)], 1);
  assertEquals(await running.given(), [["*/a/60000", 2, 1, true]]);
});

Deno.test("rule 3: silence closes windows, and a partition without messages follows the others", async () => {
  const source = new WindowSource(2);
  await using running = new Running(source, minutes({ by: ({ key }: Timed) => key }));
  source.send([at(0)], 0);
  await running.given();
  source.silent(MINUTE - 1, 0);
  assertEquals(await running.given(), []);
  source.silent(1, 0);
  source.silent(1, 1);
  assertEquals(await running.given(), [["*/a/0", 1, 1, true]]);
  const advance = running.events.find(({ type }) => type === "idle_advance");
  assertEquals(advance, {
    type: "idle_advance",
    flow: "windows",
    source: "source",
    partition: 0,
    watermark: MINUTE,
  });
});

Deno.test("rule 3: two partitions without messages do not wait for each other", async () => {
  const source = new WindowSource(3);
  await using running = new Running(source, minutes({ by: ({ key }: Timed) => key }));
  source.send([at(0)], 1);
  await running.given();
  source.silent(MINUTE, 1);
  source.silent(1, 0);
  assertEquals(await running.given(), [["*/a/0", 1, 1, true]]);
});

Deno.test("rule 3: silence counts from the last message, and applied silence outlives a restart", async () => {
  const source = new WindowSource();
  const state = new MemoryCache({ maxBytes: Infinity });
  {
    await using running = new Running(source, minutes(), state);
    source.send([at(0)]);
    await running.given();
    source.silent(MINUTE - 1);
    source.send([at(1)]);
    await running.given();
    source.silent(MINUTE - 2);
    assertEquals(await running.given(), []);
    source.silent(1);
    assertEquals(await running.given(), [["0/a/0", 2, 1, true]]);
  }
  await using running = new Running(source, minutes(), state);
  source.send([at(5)]);
  assertEquals(await running.given(), []); // late
  assertEquals(await lateOf(running), 1);
});

/** How many messages were late, as the next report says. */
async function lateOf(running: Running<unknown>): Promise<number> {
  await running.clock.tick(1_000);
  return running.events.reduce((sum, each) => sum + (each.type === "windows" ? each.late : 0), 0);
}

Deno.test('rule 3: with idle "hold" nothing closes by silence', async () => {
  const source = new WindowSource();
  await using running = new Running(source, minutes({ idle: "hold" }));
  source.send([at(0)]);
  source.silent(10 * MINUTE);
  assertEquals(await running.given(), []);
});

Deno.test("rule 3: in memory, the time counts in which a message is waited for", async () => {
  const clock = new ManualClock(0);
  const app = new App({ clock });
  const seen: string[] = [];
  const next = Promise.withResolvers<void>();
  async function* source() {
    yield at(0);
    await next.promise;
  }
  app.handle(source(), minutes(), ({ id }) => void seen.push(id));
  const streaming = app.stream();
  await clock.tick(MINUTE - 2_000);
  assertEquals(seen, []);
  await clock.tick(4_000);
  assertEquals(seen, ["0/a/0"]);
  next.resolve();
  await streaming;
  assertEquals(clock.pending, 0);
});

Deno.test("rule 4: a time too far ahead counts in its window, and makes nothing else late", async () => {
  const source = new WindowSource();
  const clock = new ManualClock(0);
  await using running = new Running(source, minutes(), undefined, clock);
  source.send([at(0), at(2 * 86_400_000), at(1), at(MINUTE)]);
  assertEquals(await running.given(), [["0/a/0", 2, 1, true]]);
  await clock.tick(1_000);
  const ahead = running.events.reduce(
    (sum, each) => sum + (each.type === "windows" ? each.ahead : 0),
    0,
  );
  assertEquals(ahead, 1);
});

Deno.test("rule 5: what is late goes to its sink with its lateness, windows and position", async () => {
  const source = new WindowSource();
  const late: Late<Timed>[] = [];
  await using running = new Running(
    source,
    minutes({ late: (each: Late<Timed>) => late.push(each) }),
  );
  source.send([at(0), at(MINUTE + 10), at(7)]);
  await running.given();
  assertEquals(late, [{
    message: at(7),
    key: "a",
    time: 7,
    latenessMs: MINUTE + 3,
    source: "source",
    partition: 0,
    position: 3,
    windows: [{ start: 0, end: MINUTE }],
  }]);
});

Deno.test("rule 5: an accepted message is a further revision, and closes first what is due", async () => {
  const source = new WindowSource();
  const late: number[] = [];
  const then = ({ time }: Late<Timed>) => late.push(time);
  await using running = new Running(source, minutes({ late: { accept: 10_000, then } }));
  source.send([at(0), at(MINUTE), at(1)]); // no tick in between
  assertEquals(await running.given(), [["0/a/0", 1, 1, true], ["0/a/0", 2, 2, true]]);
  source.send([at(MINUTE + 9_999), at(2)]);
  assertEquals(await running.given(), [["0/a/0", 3, 3, true]]);
  source.send([at(MINUTE + 10_000), at(3)]);
  assertEquals(await running.given(), []);
  assertEquals(late, [3]);
});

Deno.test("rule 5: lateness of hopping windows is judged for each of them", async () => {
  const source = new WindowSource();
  const late: Late<Timed>[] = [];
  const window = hopping({
    size: 20,
    every: 10,
    into: count(),
    late: (each: Late<Timed>) => late.push(each),
  });
  await using running = new Running(
    source,
    window as ExactPipe<Timed, WindowResult<string, number>>,
  );
  source.send([at(5), at(21), at(15), at(40)]);
  assertEquals(await running.given(), [
    ["0/a/-10", 1, 1, true],
    ["0/a/0", 1, 1, true],
    ["0/a/10", 2, 1, true],
    ["0/a/20", 1, 1, true],
  ]);
  assertEquals(late.map(({ time, windows }) => [time, windows]), [[15, [{ start: 0, end: 20 }]]]);
});

Deno.test("rule 6: sessions that are merged replace what was given of them", async () => {
  const source = new WindowSource();
  const window = session({ gap: 10, into: count(), emit: "changes", outOfOrderness: 100 });
  await using running = new Running<unknown>(
    source,
    window as ExactPipe<Timed, WindowResult<string, unknown>>,
    undefined,
    undefined,
    ({ id, value, revision, final, replaces }) => [id, value, revision, final, replaces],
  );
  source.send([at(100), at(115)]);
  await running.clock.tick(2_000);
  assertEquals(await running.given(), [["0/a/100", 1, 1, false, []], ["0/a/115", 1, 1, false, []]]);
  source.send([at(107)]);
  await running.clock.tick(2_000);
  assertEquals(await running.given(), [["0/a/100", 3, 2, false, ["0/a/115"]]]);
  source.send([at(95)]); // its start moves
  await running.clock.tick(2_000);
  assertEquals(await running.given(), [["0/a/95", 4, 1, false, ["0/a/100", "0/a/115"]]]);
  source.send([at(225)]);
  await running.clock.tick(2_000);
  assertEquals((await running.given())[0], ["0/a/95", 4, 2, true, ["0/a/100", "0/a/115"]]);
});

Deno.test("rule 6: { every } gives what has changed, at most once in that time, and the final result", async () => {
  const source = new WindowSource();
  await using running = new Running(source, minutes({ emit: { every: 10_000 } }));
  source.send([at(0), at(1)]);
  assertEquals(await running.given(), []);
  await running.clock.tick(10_000);
  assertEquals(await running.given(), [["0/a/0", 2, 1, false]]);
  await running.clock.tick(20_000);
  assertEquals(await running.given(), []);
  source.send([at(2), at(MINUTE)]);
  assertEquals(await running.given(), [["0/a/0", 3, 2, true]]);
});

Deno.test("rule 7: a sliding window has what is not after its message, whatever the order of arrival", async () => {
  const source = new WindowSource();
  const window = sliding({
    size: 10,
    outOfOrderness: 5,
    into: collect({ max: 100, of: ({ timestamp }: Timed) => timestamp }),
  });
  await using running = new Running<unknown>(source, window);
  source.send([at(1), at(5), at(3), at(5), at(12), at(30)]);
  const given = await running.given();
  assertEquals(given.map((each) => (each as unknown[])[1]), [
    [1],
    [1, 3],
    [1, 3, 5],
    [1, 3, 5, 5],
    [3, 5, 5, 12],
  ]);
});

Deno.test("rule 7: where partitions are merged, a sliding window waits until the least watermark is past its time", async () => {
  const source = new WindowSource(2);
  const window = sliding({
    size: 10,
    by: ({ key }: Timed) => key,
    idle: "hold",
    into: collect({ max: 9, of: ({ amount }: Timed) => amount }),
  });
  await using running = new Running<unknown>(
    source,
    window as ExactPipe<Timed, WindowResult<string, unknown>>,
  );
  source.send([{ key: "a", timestamp: 5, amount: 1 }], 1);
  source.send([{ key: "a", timestamp: 5, amount: 2 }], 0);
  assertEquals(await running.given(), []);
  source.send([{ key: "a", timestamp: 5, amount: 3 }, at(6, "b")], 0); // before that of partition 1
  source.send([at(6, "b")], 1);
  const given = await running.given();
  assertEquals(given.map((each) => (each as unknown[])[1]), [[2], [2, 3], [2, 3, 1]]);
});

Deno.test("rule 7: a sliding window without outOfOrderness is given at once", async () => {
  const seen: number[][] = [];
  const app = new App();
  app.handle(
    [at(1), at(2), at(11), at(30)],
    sliding({ size: 10, into: collect({ max: 9, of: ({ timestamp }: Timed) => timestamp }) }),
    ({ value }) => void seen.push(value),
  );
  await app.stream();
  assertEquals(seen, [[1], [1, 2], [2, 11], [30]]);
});

Deno.test("rule 7: a message is added once, to the pane that hopping windows share", async () => {
  let adds = 0;
  const into = fold({
    init: () => 0,
    add(sum: number, { timestamp }: Timed) {
      adds++;
      return sum + timestamp;
    },
    merge: (first, second) => first + second,
  });
  const seen: number[][] = [];
  const app = new App();
  app.handle([at(1), at(2), at(12)], hopping({ size: 20, every: 4, into }), ({ start, value }) => {
    seen.push([start, value]);
  });
  await app.stream();
  assertEquals(adds, 3);
  assertEquals(seen, [[-16, 3], [-12, 3], [-8, 3], [-4, 15], [0, 15], [4, 12], [8, 12], [12, 12]]);
});

Deno.test("rule 7: count windows close by their last message, and have an index", async () => {
  const seen: unknown[] = [];
  const app = new App();
  app.handle(
    [at(5), at(3, "b"), at(1), at(9), at(4)],
    countWindow({ size: 2, into: collect({ max: 2, of: ({ timestamp }: Timed) => timestamp }) }),
    ({ key, index, value, start, end }) => void seen.push([key, index, value, start, end]),
  );
  await app.stream();
  assertEquals(seen, [
    ["a", 0, [5, 1], 1, 5],
    ["a", 1, [9, 4], 4, 9],
    ["b", 0, [3], 3, 3],
  ]);
});

Deno.test("rule 7: count windows overlap with every", async () => {
  const seen: unknown[] = [];
  const app = new App();
  const into = collect({ max: 9, of: ({ timestamp }: Timed) => timestamp });
  app.handle(
    [1, 2, 3, 4, 5, 6, 7].map((time) => at(time)),
    countWindow({ size: 4, every: 2, into }),
    ({ index, value, start, end, final }) => void seen.push([index, value, start, end, final]),
  );
  await app.stream();
  assertEquals(seen, [
    [0, [1, 2], 1, 2, true],
    [1, [1, 2, 3, 4], 1, 4, true],
    [2, [3, 4, 5, 6], 3, 6, true],
    [3, [5, 6, 7], 5, 7, true],
  ]);
  const alone = fold({ init: () => 0, add: (sum: number, _: Timed) => sum + 1 });
  countWindow({ size: 4, into: alone });
  assertThrows(() => countWindow({ size: 4, every: 2, into: alone }), TypeError, "needs merge");
  assertThrows(
    () => countWindow({ size: 2, every: 4, into }),
    RangeError,
    "every (4) must be at most size (2)",
  );
});

Deno.test("rule 7: an accepted message opens a session again that it makes longer", async () => {
  const source = new WindowSource();
  const window = session({ gap: 10, into: count(), late: { accept: 100 }, idle: "hold" });
  await using running = new Running(source, window);
  source.send([at(0), at(15, "b")]);
  assertEquals(await running.given(), [["0/a/0", 1, 1, true]]);
  source.send([at(9)]);
  assertEquals(await running.given(), [], "it ends at 19, and the watermark is 15");
  source.send([at(20, "b")]);
  assertEquals(await running.given(), [["0/a/0", 2, 2, true]]);
});

Deno.test("rule 7: merge is required where windows are made of others", () => {
  const alone = fold({ init: () => 0, add: (sum: number, _: Timed) => sum + 1 });
  assertThrows(() => session({ gap: 1, into: alone }), TypeError, "its fold() needs merge");
  assertThrows(() => sliding({ size: 1, into: { alone } }), TypeError, "its fold() needs merge");
  tumbling({ size: 1, into: alone });
});

Deno.test("rule 8: a tick is bounded, and none begins after stopping has begun", async () => {
  const source = new WindowSource();
  const state = new MemoryCache({ maxBytes: Infinity });
  const keys = Array.from({ length: 1_000 }, (_, n) => at(0, `${n}`));
  const seen = new Set<unknown>();
  {
    await using running = new Running(source, minutes(), state, undefined, ({ key }) => {
      if (seen.size === 10) void running.app.close(); // within a result
      seen.add(key);
    });
    source.send([...keys, at(MINUTE)]);
    await running.given();
    assertEquals(seen.size, 11);
  }
  await using running = new Running(
    source,
    minutes(),
    state,
    undefined,
    ({ key }) => seen.add(key),
  );
  await running.given();
  assertEquals(seen.size, 1_000);
});

Deno.test("rule 8: a pause holds results back too", async () => {
  const source = new WindowSource();
  await using running = new Running(source, minutes());
  source.send([at(0)]);
  await running.given();
  running.app.pause(source);
  source.silent(MINUTE);
  assertEquals(await running.given(), []);
  running.app.resume(source);
  assertEquals(await running.given(), [["0/a/0", 1, 1, true]]);
});

Deno.test("rule 8: no tick begins while the partitions are given to others", async () => {
  const source = new WindowSource();
  await using running = new Running(source, minutes());
  source.send([at(0)]);
  await running.given();
  source.away = true;
  source.silent(MINUTE);
  assertEquals(await running.given(), []);
  source.back();
  assertEquals(await running.given(), [["0/a/0", 1, 1, true]]);
});

Deno.test("rule 8: the dead letter of a failed result is the result", async () => {
  const letters: HandlerError[] = [];
  const seen: string[] = [];
  const app = new App({ onError: deadLetter((error) => letters.push(error as HandlerError)) });
  app.handle([at(0), at(MINUTE, "b")], minutes(), ({ key }) => {
    if (key === "a") throw new Error("no");
    seen.push(key);
  });
  await app.stream();
  assertEquals(seen, ["b"]);
  assertEquals((letters[0]!.input as WindowResult<string, number>).id, "0/a/0");
});

Deno.test("rule 9: a result is given once the cut that holds it is on disk, with what was written for it before", async () => {
  await using folder = await temporaryFolder();
  const state = await Cache.open(`${folder.path}/state`, { maxBytes: Infinity });
  const source = new WindowSource();
  const seen: string[] = [];
  const app = new App({ commit: { interval: 10 } });
  app.handle(source, minutes(), async ({ id, value }) => {
    await state.update(id, (sum) => (sum as number ?? 0) + value);
    seen.push(id);
  }, { name: "windows", state });
  source.send([at(0), at(1), at(MINUTE)]);
  source.end();
  await app.stream();
  assertEquals(seen, ["0/a/0", "0/a/60000"]);
  assertEquals(await state.get("0/a/0"), 2);
  await state.close();
  await using again = await Cache.open(`${folder.path}/state`, { maxBytes: Infinity });
  assertEquals(await again.get("0/a/0"), 2);
});

Deno.test("rule 10: another definition is an error that names the difference", async () => {
  const state = new MemoryCache({ maxBytes: Infinity });
  const source = new WindowSource();
  source.send([at(0)]);
  {
    await using running = new Running(source, minutes(), state);
    await running.given();
  }
  const stream = (window: ExactPipe<Timed, unknown>) => {
    const app = new App();
    app.handle(source, window, () => {}, { name: "windows", state });
    return app.stream();
  };
  const error = await assertRejects(
    () => stream(tumbling({ size: 10, into: { n: count(), sum: sum((m: Timed) => m.timestamp) } })),
    TypeError,
  );
  assertStringIncludes(error.message, "size was 60000 and is 10");
  assertStringIncludes(error.message, 'into was "count" and is "{ n: count, sum: sum }"');
  assertStringIncludes(error.message, "give the flow another name");
  await assertRejects(
    () => stream(session({ gap: 10, into: count() })),
    TypeError,
    'kind was "tumbling" and is "session"',
  );
});

Deno.test("rule 11: the end of a source gives what is open, and moves no watermark", async () => {
  const state = new MemoryCache({ maxBytes: Infinity });
  const source = new WindowSource();
  const stream = async (messages: Timed[]) => {
    const seen: unknown[] = [];
    source.send(messages);
    source.end();
    const app = new App();
    app.handle(source, minutes(), ({ id, value, revision, final }) => {
      seen.push([id, value, revision, final]);
    }, { name: "windows", state });
    await app.stream();
    return seen;
  };
  assertEquals(await stream([at(0)]), [["0/a/0", 1, 1, true]]);
  assertEquals(await stream([]), []); // nothing has changed
  assertEquals(await stream([at(1), at(MINUTE)]), [["0/a/0", 2, 2, true], [
    "0/a/60000",
    1,
    1,
    true,
  ]]);
});

Deno.test("rule 11: state is required where the source has positions", async () => {
  const app = new App();
  app.handle(new WindowSource(), minutes(), () => {}, { name: "windows" });
  await assertRejects(
    () => app.stream(),
    TypeError,
    "would be lost after a crash; set the options name and state",
  );
});

Deno.test("rule 12: what cannot follow corrections is refused, unless replays are skipped", async () => {
  const stream = async (window: ExactPipe<Timed, unknown>, replays: "deliver" | "skip") => {
    const source = new WindowSource();
    gateOf(source).corrector = "weather";
    const app = new App();
    const state = new MemoryCache({ maxBytes: Infinity });
    source.end();
    app.handle(source, window, () => {}, { name: "windows", state, replays });
    await app.stream();
  };
  const refused: [ExactPipe<Timed, unknown>, string][] = [
    [session({ gap: 1, into: count() }), "only tumbling() does that yet"],
    [minutes({ by: ({ key }: Timed) => key }), 'only with by: "key"'],
    [tumbling({ size: 1, into: collect({ max: 1, of: () => 1 }) }), "can take a message back"],
  ];
  for (const [window, why] of refused) {
    const error = await assertRejects(() => stream(window, "deliver"), TypeError, why);
    assertStringIncludes(error.message, 'checkpoint "weather" corrects its source');
    await stream(window, "skip");
  }
});

Deno.test('rule 13: a backfill gives what was given live, with idle "hold" in partition scope', async () => {
  const options = { idle: "hold", outOfOrderness: 10, maxAhead: Infinity };
  const all = Array.from({ length: 500 }, (_, n) => at(n * 997 - (n * 7919) % 2_000, `${n % 3}`));
  const live = new WindowSource();
  const given: unknown[] = [];
  {
    await using running = new Running(live, minutes(options));
    for (let from = 0; from < all.length; from += 50) {
      live.send(all.slice(from, from + 50));
      given.push(...await running.given());
    }
  }
  const backfill = new WindowSource();
  backfill.send(all);
  await using running = new Running(backfill, minutes(options));
  assertEquals(await running.given(), given);
  assert(given.length > 20);
});

Deno.test("what could not be exact is refused, and the error says what to write", async () => {
  const refused = async (bind: (app: App) => void, text: string) => {
    const app = new App();
    bind(app);
    await assertRejects(() => app.stream(), TypeError, text);
  };
  const proxy = new Proxy<Timed>();
  await refused(
    (app) => app.handle(proxy, minutes(), () => {}),
    "set the options name and state in it and in the flow that writes to the Proxy",
  );
  await refused(
    (app) => app.handle([at(0)], minutes(), filter(() => true), minutes() as never, () => {}, {}),
    "a flow has one window",
  );
  await refused(
    (app) => app.handle([at(0)], batch(2), minutes() as never, () => {}, {}),
    "hold messages back",
  );
  await refused(
    (app) => app.handle([at(0)], flatMap((m) => [m]), minutes(), () => {}, { onError: "skip" }),
    "they would count twice",
  );
});

Deno.test("a message without key or time meets onError, and leaves nothing", async () => {
  const errors: string[] = [];
  const app = new App({
    onError: (error) => {
      errors.push((error.cause as Error).message);
      return "skip";
    },
  });
  const seen: unknown[] = [];
  const messages = [
    at(0),
    { timestamp: 1 },
    { key: "a" },
    { key: "a", timestamp: NaN },
    at(2),
  ] as Timed[];
  app.handle(messages, minutes(), ({ value }) => void seen.push(value));
  await app.stream();
  assertEquals(seen, [2]);
  assertEquals(errors.map((error) => error.split(":")[0]), [
    "Cannot window a message without a key",
    "Cannot window a message without a timestamp",
    "Cannot window a message by the time NaN",
  ]);
});

Deno.test("an accumulator that cannot be stored is an error of its first message", async () => {
  const app = new App();
  const into = fold({
    init: () => new Map<string, () => void>(),
    add: (all, { key }: Timed) => all.set(key, () => {}),
  });
  app.handle([at(0)], tumbling({ size: 10, into }), () => {});
  const error = await assertRejects(() => app.stream(), Error);
  assertStringIncludes(
    (error.cause as Error).message,
    "Cannot keep the accumulator of fold() in a window",
  );
  assertEquals((error as HandlerError).input, at(0));
});

Deno.test("a fold that fails leaves its windows as they were", async () => {
  const app = new App({ onError: "skip" });
  const seen: unknown[] = [];
  const into = {
    n: count(),
    list: fold({
      init: (): number[] => [],
      add(list, { timestamp }: Timed) {
        list.push(timestamp); // changed, and then
        if (timestamp === 15) throw new Error("no");
        return list;
      },
      merge: (first, second) => [...first, ...second],
    }),
  };
  app.handle(
    [at(5), at(15), at(16)],
    hopping({ size: 20, every: 10, into }),
    ({ start, value }) => {
      seen.push([start, value.n, value.list]);
    },
  );
  await app.stream();
  assertEquals(seen, [[-10, 1, [5]], [0, 2, [5, 16]], [10, 1, [16]]]);
});

Deno.test("rule 3: in memory too, a pause is no silence, and silence goes on after it", async () => {
  const clock = new ManualClock(0);
  const app = new App({ clock });
  const seen: unknown[] = [];
  const next = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  async function* read() {
    yield at(0);
    await next.promise;
    yield at(1);
    await end.promise;
  }
  const source = read();
  app.handle(source, minutes(), ({ id, value }) => void seen.push([id, value]));
  const streaming = app.stream();
  await clock.tick(10_000);
  app.pause(source);
  await clock.tick(10 * MINUTE);
  next.resolve(); // it is there, and held back
  await clock.tick(10 * MINUTE);
  assertEquals(seen, []);
  app.resume(source);
  await clock.tick(10_000);
  app.pause(source);
  await clock.tick(10 * MINUTE);
  app.resume(source);
  await clock.tick(40_000);
  assertEquals(seen, []);
  await clock.tick(20_000);
  assertEquals(seen, [["0/a/0", 2]]);
  end.resolve();
  await streaming;
  assertEquals(clock.pending, 0);
});

Deno.test("rule 9: a result that a commit has taken before it asked for one leaves no timer behind", async () => {
  const source = new WindowSource();
  const clock = new ManualClock(1_000_000_000);
  const app = new App({ clock, commit: { interval: 20 } });
  app.handle(source, minutes(), () => {}, {
    name: "windows",
    state: new MemoryCache({ maxBytes: Infinity }),
  });
  const streaming = app.stream();
  for (let minute = 0; minute < 5; minute++) {
    source.send([at(minute * MINUTE)]);
    for (let step = 0; step < 5; step++) await clock.tick(5);
  }
  source.send([at(5 * MINUTE)]); // asks anew, after a commit has come for the one before it
  await clock.tick(1);
  await app.close();
  await streaming;
  assertEquals(clock.pending, 0);
});
