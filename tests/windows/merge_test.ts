/** The numbered rules of NEXT.md, section 3, for windows over several sources. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { App, map, MemoryCache, merge } from "../../mod.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import { ManualClock } from "../../src/testing/mod.ts";
import {
  collect,
  count,
  fold,
  type Late,
  sliding,
  tumbling,
  type WindowResult,
} from "../../src/windows/mod.ts";
import type { ExactPipe } from "../../src/flow/stage/exact_pipes.ts";
import { until } from "../_support/processes.ts";
import { at, MINUTE, minutes, Running } from "../_support/running_window.ts";
import { type Timed, WindowSource } from "../_support/window_source.ts";

const open = () => new MemoryCache({ maxBytes: Infinity });
const ofAll = { by: ({ key }: Timed) => key };
const pair = (partitions = 1) =>
  [new WindowSource(partitions, "clicks"), new WindowSource(partitions, "views")] as const;

Deno.test("rule 1: each partition of each source has a watermark of its own, also after a restart", async () => {
  const [clicks, views] = pair(2);
  const state = open();
  const window = minutes({ late: (each: Late<Timed>) => late.push(each) });
  const late: Late<Timed>[] = [];
  {
    await using running = new Running(merge(clicks, views), window, state);
    clicks.send([at(0), at(MINUTE)], 1);
    views.send([at(0)], 1);
    assertEquals(await running.given(), [["clicks:1/a/0", 1, 1, true]]);
  }
  await using running = new Running(merge(views, clicks), window, state); // in any order
  clicks.send([at(7)], 1); // late there, and nowhere else
  clicks.send([at(8)], 0);
  views.send([at(9), at(MINUTE)], 1);
  assertEquals(await running.given(), [["views:1/a/0", 2, 1, true]]);
  assertEquals(late.map(({ source, partition, time }) => [source, partition, time]), [
    ["clicks", 1, 7],
  ]);
});

Deno.test("rule 2: one key of two sources is two windows with by key, and one with a function", async () => {
  for (const ids of [["clicks:0/a/0", "views:0/a/0"], ["*/a/0"]]) {
    const [clicks, views] = pair();
    const options = ids.length === 1 ? ofAll : {};
    await using running = new Running(merge(clicks, views), minutes(options));
    clicks.send([at(0), at(MINUTE)]);
    views.send([at(0), at(MINUTE)]);
    const given = await running.given() as unknown[][];
    assertEquals(given.map(([id]) => id).toSorted(), ids);
  }
});

Deno.test("rule 2: a window of all closes when the least watermark of all partitions of all sources has passed", async () => {
  const [clicks, views] = pair(2);
  const window = tumbling({
    size: MINUTE,
    ...ofAll,
    idle: "hold",
    into: collect({ max: 9, of: ({ timestamp }: Timed) => timestamp }),
  });
  await using running = new Running(merge(views, clicks), window);
  views.send([at(1), at(MINUTE)], 0);
  clicks.send([at(4), at(MINUTE)], 1);
  clicks.send([at(2), at(MINUTE)], 0);
  views.send([at(3)], 1);
  assertEquals(await running.given(), []);
  views.send([at(MINUTE)], 1);
  // Partitions by number, and of one number by the name of the source.
  assertEquals(await running.given(), [["*/a/0", [2, 1, 4, 3], 1, true]]);
});

Deno.test("rule 2: a source that has had no message holds windows of all open from the start", async () => {
  const clock = new ManualClock(0);
  const seen: unknown[] = [];
  const app = new App({ clock });
  const first = Promise.withResolvers<void>();
  async function* silent() {
    await first.promise;
    yield at(5);
    yield at(MINUTE);
  }
  async function* quick() {
    yield* [at(0), at(MINUTE)];
    await first.promise;
  }
  app.handle(merge(quick(), silent()), minutes({ ...ofAll, idle: "hold" }), ({ id, value }) => {
    seen.push([id, value]);
  });
  const streaming = app.stream();
  await clock.tick(10 * MINUTE);
  assertEquals(seen, []);
  first.resolve();
  await streaming;
  assertEquals(seen, [["*/a/0", 2], ["*/a/60000", 2]]);
  assertEquals(clock.pending, 0);
});

Deno.test("rule 3: a source that has had no message follows the others while it is waited for", async () => {
  const clock = new ManualClock(0);
  const seen: string[] = [];
  const app = new App({ clock });
  const end = Promise.withResolvers<void>();
  async function* silent() {
    await end.promise;
    yield* [] as Timed[];
  }
  async function* live() {
    yield* [at(0), at(MINUTE)];
    await end.promise;
  }
  app.handle(merge(live(), silent()), minutes(ofAll), ({ id }) => void seen.push(id));
  const streaming = app.stream();
  await clock.tick(1_000);
  assertEquals(seen, ["*/a/0"]);
  end.resolve();
  await streaming;
});

Deno.test("rule 2: a partition that is added to one source begins with the least watermark of all", async () => {
  const [clicks, views] = pair();
  const late: unknown[] = [];
  const then = ({ source, partition, time }: Late<Timed>) => late.push([source, partition, time]);
  await using running = new Running(merge(clicks, views), minutes({ ...ofAll, late: then }));
  clicks.send([at(5 * MINUTE)]);
  views.send([at(0), at(MINUTE)]);
  assertEquals(await running.given(), [["*/a/0", 1, 1, true]]);
  clicks.grow();
  clicks.send([at(0), at(MINUTE), at(5 * MINUTE)], 1); // the first is late, though its clock has seen nothing
  views.send([at(5 * MINUTE)]);
  assertEquals(await running.given(), [["*/a/60000", 2, 1, true]]);
  assertEquals(late, [["clicks", 1, 0]]);
});

Deno.test("rule 3: each partition is silent by what its own source says", async () => {
  const [clicks, views] = pair();
  await using running = new Running(merge(clicks, views), minutes());
  clicks.send([at(0)]);
  views.send([at(0)]);
  await running.given();
  clicks.silent(MINUTE);
  assertEquals(await running.given(), [["clicks:0/a/0", 1, 1, true]]);
  views.silent(MINUTE);
  assertEquals(await running.given(), [["views:0/a/0", 1, 1, true]]);
  const advances = running.events.filter(({ type }) => type === "idle_advance");
  assertEquals(
    advances,
    ["clicks", "views"].map((source) => ({
      type: "idle_advance" as const,
      flow: "windows",
      source,
      partition: 0,
      watermark: MINUTE,
    })),
  );
});

Deno.test("rule 3: a partition whose first message is in flight does not follow the others", async () => {
  const merged = pair();
  const single = new WindowSource(2);
  const sends = {
    single: (messages: Timed[], of: number) => single.send(messages, of),
    merged: (messages: Timed[], of: number) => merged[of]!.send(messages),
  };
  for (const [name, send] of Object.entries(sends)) {
    const clock = new ManualClock(0);
    const seen: unknown[] = [];
    const gate = Promise.withResolvers<void>();
    const app = new App({ clock });
    const silent = (ms: number, of: number) =>
      name === "single" ? single.silent(ms, of) : merged[of]!.silent(ms);
    app.handle(
      name === "single" ? single : merge(...merged),
      map(async (message) => {
        if (message.key === "slow") await gate.promise;
        return message;
      }),
      tumbling({ size: MINUTE, by: () => "all", into: count() }),
      ({ id, value, revision }) => void seen.push([id, value, revision]),
      { name: "windows", state: open() },
    );
    send([at(0), at(MINUTE + 1)], 0);
    const streaming = app.stream();
    await clock.tick(0);
    silent(1, 0);
    await clock.tick(1_000);
    assertEquals(seen, [["*/all/0", 1, 1]]); // the other had nothing, and followed
    send([at(MINUTE + 2, "slow")], 1);
    await clock.tick(0);
    silent(MINUTE, 0);
    await clock.tick(0);
    gate.resolve();
    await clock.tick(1_000);
    silent(MINUTE, 1);
    await clock.tick(1_000);
    assertEquals(seen.slice(1), [["*/all/60000", 2, 1]]);
    await Promise.all([app.close(), clock.tick(10_000)]);
    await streaming;
  }
});

Deno.test("rule 3: a source that has ended holds nothing up, also with idle hold, and that is stored", async () => {
  const [clicks, views] = pair();
  const state = open();
  const late: unknown[] = [];
  const window = minutes({
    ...ofAll,
    idle: "hold",
    late: ({ source, time }: Late<Timed>) => late.push([source, time]),
  });
  {
    await using running = new Running(merge(clicks, views), window, state);
    clicks.send([at(0)]);
    views.send([at(1), at(MINUTE)]);
    assertEquals(await running.given(), []);
    clicks.end();
    assertEquals(await running.given(), [["*/a/0", 2, 1, true]]);
    views.send([at(2 * MINUTE)]);
    assertEquals(await running.given(), [["*/a/60000", 1, 1, true]]);
  }
  clicks.ended = false;
  clicks.send([at(2), at(MINUTE + 1), at(2 * MINUTE)]); // it goes on after all
  await using running = new Running(merge(clicks, views), window, state);
  assertEquals(await running.given(), []);
  assertEquals(late, [["clicks", 2], ["clicks", MINUTE + 1]]);
});

Deno.test("rule 3: an empty partition of a source that has ended holds nothing up", async () => {
  const clicks = new WindowSource(2, "clicks");
  const views = new WindowSource(1, "views");
  await using running = new Running(merge(clicks, views), minutes(ofAll));
  clicks.send([at(0)], 1);
  clicks.end();
  await running.given();
  clicks.silent(MINUTE, 1);
  views.silent(1);
  assertEquals(await running.given(), [["*/a/0", 1, 1, true]]);
});

Deno.test("rule 3: what has ended follows the others also while windows close", async () => {
  const all = ["ended", "slow", "quick"].map((name) => new WindowSource(1, name));
  const [ended, slow, quick] = all as [WindowSource, WindowSource, WindowSource];
  await using running = new Running(merge(...all), minutes({ ...ofAll, idle: "hold" }));
  ended.send([at(0)]);
  ended.end();
  slow.send([at(0)]);
  quick.send([at(1.5 * MINUTE)]);
  assertEquals(await running.given(), []);
  slow.send([at(3 * MINUTE)]); // the least is that of quick now, and the first window is due
  quick.send([at(2 * MINUTE)]);
  assertEquals(await running.given(), [["*/a/0", 2, 1, true], ["*/a/60000", 1, 1, true]]);
});

Deno.test("rule 3: what has ended is silent, where a partition has windows of its own", async () => {
  const clock = new ManualClock(0);
  const app = new App({ clock });
  const seen: string[] = [];
  const stop = Promise.withResolvers<void>();
  async function* live() {
    yield at(0, "live");
    await stop.promise;
  }
  app.handle(merge([at(0)], live()), minutes(), ({ id }) => void seen.push(id));
  const streaming = app.stream();
  await clock.tick(MINUTE - 2_000);
  assertEquals(seen, []);
  await clock.tick(4_000);
  assertEquals(seen.toSorted(), ["Array:0/a/0", "AsyncGenerator:0/live/0"]);
  stop.resolve();
  await streaming;
  assertEquals(clock.pending, 0);
});

Deno.test("rule 7: sliding windows take messages of one time by partition, then by source", async () => {
  const [clicks, views] = pair();
  const window = sliding({
    size: MINUTE,
    ...ofAll,
    idle: "hold",
    into: collect({ max: 9, of: ({ amount }: Timed) => amount }),
  }) as unknown as ExactPipe<Timed, WindowResult<string, number[]>>;
  await using running = new Running(merge(views, clicks), window);
  views.send([{ ...at(0), amount: 1 }, at(5)]);
  clicks.send([{ ...at(0), amount: 2 }, at(5)]);
  assertEquals(await running.given(), [
    ["*/a/0:clicks:0:0", [2], 1, true],
    ["*/a/0:views:0:0", [2, 1], 1, true],
  ]);
});

Deno.test("rule 8: results go on while a source is paused, and after one has ended", async () => {
  for (const [index, rest] of ["paused", "paused", "ended", "ended"].entries()) {
    const sources = pair();
    await using running = new Running(merge(...sources), minutes());
    const resting = sources[index % 2]!;
    const other = sources[1 - index % 2]!;
    other.send([at(0)]);
    await running.given();
    if (rest === "ended") {
      other.send([at(0, "b"), at(MINUTE)]);
      await running.clock.tick(0);
      resting.end(); // while results wait
      assertEquals((await running.given()).length, 2);
      const ended = running.events.find(({ type }) => type === "source_ended");
      assertEquals((ended as { source: string }).source, resting.name);
    } else running.app.pause(resting);
    other.silent(MINUTE);
    assertEquals((await running.given()).length, 1);
    other.send([at(2 * MINUTE), at(3 * MINUTE)]);
    assertEquals((await running.given()).length, 1);
    if (rest === "ended") continue;
    other.send([at(4 * MINUTE)]);
    running.app.pause(other);
    assertEquals((await running.given()).length, 0);
  }
});

Deno.test("rule 8: no tick begins while the partitions of one of the sources are given to others", async () => {
  const [clicks, views] = pair();
  await using running = new Running(merge(clicks, views), minutes());
  clicks.send([at(0)]);
  await running.given();
  views.away = true;
  clicks.silent(MINUTE);
  assertEquals(await running.given(), []);
  views.back();
  assertEquals(await running.given(), [["clicks:0/a/0", 1, 1, true]]);
});

Deno.test("rule 8: one result is handled at a time, and no message is counted meanwhile", async () => {
  const [clicks, views] = pair();
  const state = open();
  const app = new App();
  const log: string[] = [];
  const read = ({ key }: Timed) => {
    log.push(`read ${key}`);
    return key;
  };
  app.handle(
    merge(clicks, views),
    tumbling({ size: 10, into: collect({ max: 100, of: read }) }),
    async ({ key }) => {
      log.push("begins");
      clicks.send([at(100, key)]);
      views.send([at(100, key)]);
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      await state.update("given", (n) => (n as number ?? 0) + 1);
      log.push("is over");
      if (await state.get("given") === 100) {
        clicks.end();
        views.end();
      }
    },
    { name: "windows", state, onError: "skip" },
  );
  for (let key = 0; key < 50; key++) {
    clicks.send([at(0, `${key}`)]);
    views.send([at(0, `${key}`)]);
  }
  clicks.send([at(10)]);
  views.send([at(10)]);
  await app.stream();
  const begins = log.entries().filter(([, each]) => each === "begins").map(([index]) => index);
  const next = begins.map((index) => log[index + 1]).toArray();
  assertEquals(next, next.map(() => "is over"));
  assert(next.length > 100);
});

Deno.test("rule 8: no tick of any source begins after stopping has begun", async () => {
  const sources = pair();
  const seen = new Set<unknown>();
  const handle = async ({ id }: { id: string }) => {
    seen.add(id);
    for (let turn = 0; turn < 20; turn++) await Promise.resolve(); // the other one waits in line
    if (seen.size === 11) void running.app.close();
  };
  await using running = new Running(merge(...sources), minutes(), undefined, undefined, handle);
  const keys = Array.from({ length: 1_000 }, (_, n) => at(0, `${n}`));
  for (const source of sources) source.send([...keys, at(MINUTE)]);
  await running.given();
  assertEquals(seen.size, 11);
});

Deno.test("rule 8: while too many results wait, no source of a merge begins a message, and both go on after that", async () => {
  const [clicks, views] = pair();
  await using running = new Running(merge(clicks, views), minutes());
  const keys = Array.from({ length: 6_000 }, (_, n) => at(0, `${n}`));
  clicks.send([...keys, at(MINUTE)]);
  views.send([...keys, at(MINUTE)]);
  let given = 0;
  await until(async () => (given += (await running.given()).length) === 12_000);
  clicks.send([at(2 * MINUTE)]);
  views.send([at(2 * MINUTE)]);
  assertEquals((await running.given()).length, 2);
});

Deno.test("rule 10: another set of sources is an error that names the difference", async () => {
  const [clicks, views] = pair();
  const state = open();
  {
    await using running = new Running(merge(clicks, views), minutes(), state);
    clicks.send([at(0)]);
    await running.given();
  }
  const stream = (source: WindowSource | ReturnType<typeof merge<WindowSource[]>>) => {
    const app = new App();
    app.handle(source, minutes(), () => {}, { name: "windows", state });
    return app.stream();
  };
  const other = new WindowSource(1, "purchases");
  const error = await assertRejects(() => stream(merge(clicks, other)), TypeError);
  assertStringIncludes(
    error.message,
    'sources was ["clicks","views"] and is ["clicks","purchases"]',
  );
  assertStringIncludes(error.message, "give the flow another name");
  const alone = await assertRejects(() => stream(clicks), TypeError);
  assertStringIncludes(alone.message, 'sources was ["clicks","views"] and is absent');
});

Deno.test("rule 11: windows of a merge are given when all sources have ended, and stay", async () => {
  const state = open();
  const stream = async (...more: (readonly Timed[])[]) => {
    const [clicks, views] = pair();
    clicks.send([at(0), ...more[0] ?? []]);
    views.send([at(1), ...more[1] ?? []]);
    clicks.end();
    views.end();
    const seen: unknown[] = [];
    const app = new App();
    app.handle(merge(clicks, views), minutes(ofAll), ({ value, revision, final }) => {
      seen.push([value, revision, final]);
    }, { name: "windows", state });
    await app.stream();
    return seen;
  };
  assertEquals(await stream(), [[2, 1, true]]);
  assertEquals(await stream([at(2)], [at(3)]), [[4, 2, true]]); // nothing was late
});

Deno.test("rule 12: behind a merge, corrections are refused, unless replays are skipped", async () => {
  const stream = async (replays: "deliver" | "skip") => {
    const [clicks, views] = pair();
    gateOf(views).corrector = "weather";
    clicks.end();
    views.end();
    const app = new App();
    app.handle(merge(clicks, views), minutes(), () => {}, {
      name: "windows",
      state: open(),
      replays,
    });
    await app.stream();
  };
  await assertRejects(() => stream("deliver"), TypeError, "it reads a merge");
  await stream("skip");
});

Deno.test("a merge of sources with other messages has windows of either", async () => {
  const clicks = [{ at: 0, page: "a" }, { at: 10, page: "a" }];
  const purchases = [{ at: 5, amount: 7 }];
  const seen: unknown[] = [];
  const app = new App();
  app.handle(
    merge(clicks, purchases),
    tumbling({
      size: MINUTE,
      by: () => "all",
      time: (message) => message.at,
      into: collect({ max: 9, of: (each) => "page" in each ? each.page : each.amount }),
    }),
    ({ value }) => {
      const values: (string | number)[] = value;
      seen.push(values);
    },
  );
  await app.stream();
  assertEquals(seen, [["a", "a", 7]]);
});

Deno.test("a window over a merge of nothing ends at once", async () => {
  const app = new App();
  app.handle(merge<Timed[][]>(), minutes(), () => assert(false));
  await app.stream();
});

Deno.test("sources of a merge with the same name are told apart in memory", async () => {
  const seen: string[] = [];
  const app = new App();
  app.handle(merge([at(0)], [at(0)]), minutes(), ({ id }) => void seen.push(id));
  await app.stream();
  assertEquals(seen.toSorted(), ["Array%202:0/a/0", "Array:0/a/0"]);
});

Deno.test("a fold() without merge is refused where a window has messages of two sources", async () => {
  const app = new App();
  const into = fold({ init: () => 0, add: (n: number, _: Timed) => n + 1 });
  app.handle(merge([at(0)], [at(0)]), tumbling({ size: 10, ...ofAll, into }), () => {});
  await assertRejects(() => app.stream(), TypeError, "fold() needs merge");
});

Deno.test("state is required where one source of a merge has positions", async () => {
  const app = new App();
  app.handle(merge([at(0)], new WindowSource()), minutes(), () => {});
  await assertRejects(() => app.stream(), TypeError, "windows in memory would be lost");
});
