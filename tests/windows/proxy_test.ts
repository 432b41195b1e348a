/** The numbered rules of NEXT.md, section 3, for windows behind a Proxy. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  App,
  Cache,
  filter,
  map,
  MemoryCache,
  merge,
  Proxy,
  replayable,
  type StatusEvent,
} from "../../mod.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import type { ExactPipe } from "../../src/flow/stage/exact_pipes.ts";
import { ManualClock } from "../../src/testing/mod.ts";
import { collect, count, type Late, tumbling, type WindowResult } from "../../src/windows/mod.ts";
import { at, MINUTE, minutes } from "../_support/running_window.ts";
import { temporaryFolder } from "../_support/temporary.ts";
import { type Timed, WindowSource } from "../_support/window_source.ts";

const open = () => new MemoryCache({ maxBytes: Infinity });

interface Options {
  readonly source?: WindowSource;
  readonly state?: Cache;
  /** What the flow before the Proxy makes of a message. */
  readonly make?: (message: Timed) => unknown;
  readonly before?: ExactPipe<Timed, Timed>;
  readonly handle?: (result: WindowResult<string, unknown>) => unknown;
  readonly sink?: { write(value: unknown): void; flush(): Promise<void> };
}

/** A flow that writes to a Proxy, and one with a window that reads it. */
class Behind implements AsyncDisposable {
  readonly seen: unknown[] = [];
  readonly events: StatusEvent[] = [];
  readonly clock = new ManualClock(1_000_000_000);
  readonly app = new App({ clock: this.clock, onStatus: (event) => this.events.push(event) });
  readonly proxy = new Proxy<Timed>({ bound: 8 });
  readonly source: WindowSource;
  readonly #streaming: Promise<void>;

  constructor(window: ExactPipe<Timed, WindowResult<string, unknown>>, options: Options = {}) {
    const { source = new WindowSource(), state = open(), make = (each) => each } = options;
    const { before = filter(() => true), handle, sink = [] } = options;
    this.source = source;
    const toResult = ({ id, value, revision, final }: WindowResult<string, unknown>) => {
      this.seen.push([id, value, revision, final]);
    };
    // The reader is bound first: it must find where its messages come from.
    this.app.handle(this.proxy, before, window, handle ?? toResult, {
      name: "windows",
      state,
      sink,
    });
    this.app.handle(source, make as (message: Timed) => Timed, {
      name: "before",
      state,
      sink: this.proxy,
    });
    this.#streaming = this.app.stream();
  }

  async given(): Promise<unknown[]> {
    for (let round = 0; round < 5; round++) await this.clock.tick(100);
    return this.seen.splice(0);
  }

  /** Resolves when the app has ended by itself. */
  async ended(): Promise<void> {
    let over = false;
    const streaming = this.#streaming.finally(() => over = true);
    streaming.catch(() => {}); // awaited below
    while (!over) {
      await this.clock.tick(100);
      await new Promise((resolve) => setTimeout(resolve)); // what is on disk needs time
    }
    await streaming;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.app.close(), this.clock.tick(10_000)]);
    await this.#streaming;
  }
}

Deno.test("rule 1: behind a Proxy, watermarks are those of the partitions of the source before it", async () => {
  const source = new WindowSource(2);
  const state = open();
  const late: Late<Timed>[] = [];
  const window = minutes({ late: (each: Late<Timed>) => late.push(each) });
  {
    await using running = new Behind(window, { source, state });
    source.send([at(0), at(MINUTE)], 1);
    source.send([at(0)], 0);
    assertEquals(await running.given(), [["1/a/0", 1, 1, true]]);
  }
  await using running = new Behind(window, { source, state });
  source.send([at(7)], 1);
  source.send([at(8), at(MINUTE)], 0);
  assertEquals(await running.given(), [["0/a/0", 2, 1, true]]);
  assertEquals(
    late.map(({ source, partition, position, time }) => [source, partition, position, time]),
    [["source", 1, 3, 7]],
  );
});

Deno.test("rule 2: behind a Proxy, a window of all closes by the least watermark of the source before it", async () => {
  const source = new WindowSource(2);
  const window = tumbling({
    size: MINUTE,
    by: () => "all",
    into: collect({ max: 9, of: ({ timestamp }: Timed) => timestamp }),
  });
  await using running = new Behind(window, { source });
  source.send([at(3), at(MINUTE)], 1);
  source.send([at(2)], 0);
  assertEquals(await running.given(), []);
  source.grow();
  source.send([at(1)], 2);
  source.send([at(MINUTE)], 0);
  assertEquals(await running.given(), []);
  source.send([at(MINUTE)], 2);
  assertEquals(await running.given(), [["*/all/0", [2, 3, 1], 1, true]]);
});

Deno.test("rule 2: a message before the Proxy makes none, one or several, each counted once, also after a restart", async () => {
  const source = new WindowSource();
  const state = open();
  const make = async function* (message: Timed) {
    for (let left = message.amount ?? 0; left > 0; left--) {
      await Promise.resolve();
      yield message;
    }
  };
  const sends = [0, 3, 1, 12, 0, 5];
  for (const [index, amount] of sends.entries()) {
    await using running = new Behind(minutes(), { source, state, make });
    source.send([{ ...at(index), amount }]);
    assertEquals(await running.given(), []);
  }
  await using running = new Behind(minutes(), { source, state, make });
  source.send([{ ...at(MINUTE), amount: 1 }]);
  assertEquals(await running.given(), [["0/a/0", 21, 1, true]]);
});

Deno.test("rule 3: the source is silent when nothing of it is on its way through the Proxy", async () => {
  const clock = new ManualClock(0);
  const gate = Promise.withResolvers<void>();
  const seen: unknown[] = [];
  const state = open();
  const proxy = new Proxy<Timed & { readonly offset: number }>();
  const app = new App({ clock, commit: { interval: { hours: 1 } } });
  app.handle(
    proxy,
    map(async (message) => {
      if (message.offset === 1) await gate.promise;
      return message;
    }),
    minutes() as ExactPipe<Timed, WindowResult<string, number>>,
    ({ value }) => void seen.push(value),
    { name: "windows", state },
  );
  const source = replayable({
    name: "log",
    async *read(_: number | undefined, signal) {
      yield { ...at(0), offset: 0 };
      yield { ...at(1), offset: 1 };
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
    position: ({ offset }) => offset + 1,
  });
  app.handle(source, (message) => message, { name: "before", state, sink: proxy });
  const streaming = app.stream();
  await clock.tick(10 * MINUTE);
  assertEquals(seen, []); // its second message is on its way
  gate.resolve();
  await clock.tick(MINUTE - 2_000);
  assertEquals(seen, []);
  await clock.tick(4_000);
  assertEquals(seen, [2]);
  await Promise.all([app.close(), clock.tick(10_000)]);
  await streaming;
  assertEquals(clock.pending, 0);
});

Deno.test("rule 3: a partition whose first message is in the Proxy does not follow the others", async () => {
  const source = new WindowSource(2);
  const gate = Promise.withResolvers<void>();
  const before = map(async (message: Timed) => {
    if (message.key === "slow") await gate.promise;
    return message;
  });
  const window = tumbling({ size: MINUTE, by: () => "all", into: count() });
  await using running = new Behind(window, { source, before });
  source.send([at(0), at(MINUTE + 1)], 0);
  await running.given();
  source.silent(1, 0);
  assertEquals(await running.given(), [["*/all/0", 1, 1, true]]);
  source.send([at(MINUTE + 2, "slow")], 1);
  await running.given();
  source.silent(MINUTE, 0);
  await running.given();
  gate.resolve();
  await running.given();
  source.silent(MINUTE, 1);
  assertEquals(await running.given(), [["*/all/60000", 2, 1, true]]);
});

Deno.test("rule 3: silence of the source closes windows behind the Proxy", async () => {
  await using running = new Behind(minutes());
  running.source.send([at(0)]);
  assertEquals(await running.given(), []);
  running.source.silent(MINUTE);
  assertEquals(await running.given(), [["0/a/0", 1, 1, true]]);
  const [advance] = running.events.filter(({ type }) => type === "idle_advance");
  assertEquals(advance, {
    type: "idle_advance",
    flow: "windows",
    source: "source",
    partition: 0,
    watermark: MINUTE,
  });
});

Deno.test("rule 4: behind a Proxy too, a time is compared with that at which the broker has stored the message", async () => {
  const source = new WindowSource();
  const make = ({ key, timestamp }: Timed) => ({ key, timestamp });
  await using running = new Behind(minutes({ maxAhead: MINUTE }), { source, make });
  const day = 86_400_000 * 1_000;
  const stored = (timestamp: number) => ({
    ...at(timestamp),
    record: { appended: true, timestamp: day },
  });
  source.send([stored(day), stored(day + MINUTE)]); // years ahead of the clock of this process
  assertEquals(await running.given(), [[`0/a/${day}`, 1, 1, true]]);
});

Deno.test("rule 8: a pause of the source or of the Proxy holds results back, and so do partitions that are away", async () => {
  await using running = new Behind(minutes());
  const { source, app, proxy } = running;
  for (
    const [minute, [hold, letGo]] of [
      [() => app.pause(source), () => app.resume(source)],
      [() => app.pause(proxy), () => app.resume(proxy)],
      [() => source.away = true, () => source.back()],
    ].entries()
  ) {
    source.send([at(minute * MINUTE)]);
    await running.given();
    hold!();
    source.silent(MINUTE);
    assertEquals(await running.given(), []);
    letGo!();
    assertEquals(await running.given(), [[`0/a/${minute * MINUTE}`, 1, 1, true]]);
  }
});

Deno.test("rule 8: where too many results wait, the source begins no more, and what is in the Proxy goes on", async () => {
  const source = new WindowSource();
  const disk = Promise.withResolvers<void>();
  const state = open();
  let begun = 0;
  const make = (message: Timed) => {
    begun++;
    return message;
  };
  const sink = { write: () => {}, flush: () => disk.promise };
  await using running = new Behind(minutes(), { source, state, make, sink });
  const keys = Array.from(
    { length: 25_000 },
    (_, n) => at(Math.floor(n / 11_000) * MINUTE, `${n}`),
  );
  source.send([...keys, at(3 * MINUTE)]);
  assertEquals(await running.given(), []);
  assert(begun < 11_100, `${begun} were begun`); // 10,000 results of the first minute wait
  disk.resolve();
  let given = 0;
  for (let round = 0; round < 50 && given < 25_000; round++) {
    given += (await running.given()).length;
  }
  assertEquals([given, begun], [25_000, 25_001]);
});

Deno.test("rule 8: a result that waits in line behind a message does not begin after stopping has", async () => {
  const source = new WindowSource();
  const state = open();
  const gate = Promise.withResolvers<void>();
  const before = map(async (message: Timed) => {
    if (message.key === "slow") await gate.promise;
    return message;
  });
  {
    const disk = Promise.withResolvers<void>();
    const sink = { write: () => {}, flush: () => disk.promise };
    await using running = new Behind(minutes(), { source, state, before, sink });
    source.send([at(0), at(MINUTE)]);
    await running.clock.tick(0);
    await running.clock.tick(100); // the cut with the result is taken
    source.send([at(MINUTE, "slow")]);
    await running.clock.tick(0);
    disk.resolve(); // the result may leave
    await running.clock.tick(100);
    void running.app.close();
    await running.clock.tick(0);
    gate.resolve();
    await running.ended();
    assertEquals(running.seen, []);
  }
  await using running = new Behind(minutes(), { source, state, before });
  assertEquals(await running.given(), [["0/a/0", 1, 1, true]]);
});

Deno.test("rule 8: one result is handled at a time, and no message is counted meanwhile", async () => {
  const log: string[] = [];
  const source = new WindowSource();
  const window = tumbling({
    size: 10,
    into: collect({
      max: 100,
      of: ({ key }: Timed) => {
        log.push("read");
        return key;
      },
    }),
  });
  const state = open();
  const handle = async () => {
    log.push("begins");
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    await state.update("given", (n) => (n as number ?? 0) + 1);
    log.push("is over");
  };
  // Results begin while values wait in the Proxy, since the source is slow to hand out more.
  const before = map(async (message: Timed) => {
    for (let turn = 0; turn < 3; turn++) await Promise.resolve();
    return message;
  });
  await using running = new Behind(window, { source, state, handle, before });
  for (let round = 0; round < 100; round++) {
    source.send(Array.from({ length: 20 }, (_, n) => at(10 * round, `${n}`)));
    await running.clock.tick(round % 3 === 0 ? 60 : 0);
  }
  await running.given();
  await running.given();
  const begins = log.entries().filter(([, each]) => each === "begins").map(([index]) => index);
  const next = begins.map((index) => log[index + 1]).toArray();
  assertEquals(next, next.map(() => "is over"));
  assert(next.length >= 99 * 20);
  assertEquals(await state.get("given"), next.length);
});

Deno.test("rule 11: the end of the source gives what is open once everything on its way has come", async () => {
  const source = new WindowSource();
  const state = open();
  const before = map(async (message: Timed) => {
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
    return message;
  });
  source.send(Array.from({ length: 100 }, (_, n) => at(n)));
  source.end();
  {
    await using running = new Behind(minutes(), { source, state, before });
    await running.ended();
    assertEquals(running.seen, [["0/a/0", 100, 1, true]]);
    assertEquals(running.clock.pending, 0);
  }
  source.send([at(200)]);
  await using running = new Behind(minutes(), { source, state, before });
  await running.ended();
  assertEquals(running.seen, [["0/a/0", 101, 2, true]]); // nothing was late
});

Deno.test("rule 11: an app that is stopped finishes what is in the Proxy, and gives no result", async () => {
  const source = new WindowSource();
  const state = open();
  const gate = Promise.withResolvers<void>();
  const before = map(async (message: Timed) => {
    await gate.promise;
    return message;
  });
  {
    await using running = new Behind(minutes(), { source, state, before });
    source.send([at(0), at(1), at(2), at(MINUTE)]);
    await running.clock.tick(0);
    void running.app.close();
    await running.clock.tick(0);
    gate.resolve();
    await running.ended();
    assertEquals(running.seen, []);
  }
  await using running = new Behind(minutes(), { source, state, before });
  assertEquals(await running.given(), [["0/a/0", 3, 1, true]]);
});

Deno.test("behind a Proxy, a result that fails for good ends the app, and comes again", async () => {
  await using folder = await temporaryFolder();
  const openCache = () => Cache.open(`${folder.path}/state`, { maxBytes: Infinity });
  const source = new WindowSource();
  source.send([at(0), at(MINUTE)]);
  source.end();
  const handle = () => {
    throw new Error("no");
  };
  {
    await using state = await openCache();
    const failing = new Behind(minutes(), { source, state, handle });
    await assertRejects(() => failing.ended(), Error, "no");
    assertEquals(failing.clock.pending, 0);
  }
  await using state = await openCache();
  const running = new Behind(minutes(), { source, state });
  await running.ended();
  assertEquals(running.seen, [["0/a/0", 1, 1, true], ["0/a/60000", 1, 1, true]]);
});

Deno.test("a window may stand behind a row of Proxies, and beside other flows at each", async () => {
  const clock = new ManualClock(0);
  const source = new WindowSource();
  const state = open();
  const [first, second] = [new Proxy<Timed>(), new Proxy<Timed>()];
  const seen: unknown[] = [];
  const app = new App({ clock });
  const window = minutes();
  const bind = (name: string, from: WindowSource | Proxy<Timed>) =>
    app.handle(from, window, ({ id, value }) => void seen.push([name, id, value]), { name, state });
  bind("third window", second);
  bind("second window", first);
  bind("first window", source);
  const pass = (name: string, from: WindowSource | Proxy<Timed>, sink: Proxy<Timed>) =>
    app.handle(from, (message) => message, { name, state, sink });
  pass("second", first, second);
  pass("first", source, first);
  const counts: string[] = [];
  app.handle(second, ({ key }) => void counts.push(key), { name: "beside", state });
  source.send([at(0), at(1), at(MINUTE)]);
  source.end();
  let over = false;
  const streaming = app.stream().finally(() => over = true);
  while (!over) await clock.tick(100);
  await streaming;
  const names = ["first window", "second window", "third window"];
  assertEquals(
    seen.toSorted(),
    names.flatMap((name) => [[name, "0/a/0", 2], [name, "0/a/60000", 1]]),
  );
  assertEquals(counts.length, 3);
  assertEquals(clock.pending, 0);
});

Deno.test("a window behind a Proxy is in the snapshot of the app", async () => {
  await using running = new Behind(minutes());
  running.source.send([at(0), at(1, "b")]);
  await running.given();
  const [window] = running.app.snapshot().windows;
  assertEquals([window!.window, window!.open], ["windows", 2]);
  await running.clock.tick(1_000);
  assert(running.events.some((event) => event.type === "windows" && event.flow === "windows"));
});

Deno.test("a window behind a Proxy is refused where its messages have no place in one source", async () => {
  const refused = async (
    bind: (app: App, state: Cache, proxy: Proxy<Timed>, source: WindowSource) => void,
    text: string,
  ) => {
    const app = new App();
    bind(app, open(), new Proxy<Timed>(), new WindowSource());
    await assertRejects(() => app.stream(), TypeError, text);
  };
  const window = minutes();
  const on = (
    app: App,
    from: Parameters<typeof merge<(WindowSource | Proxy<Timed>)[]>>[0],
    state: Cache,
  ) => app.handle(from, window, () => {}, { name: "windows", state });
  const pass = (message: Timed) => message;
  await refused((app, _, proxy) => {
    app.handle([at(0)], pass, { sink: proxy });
    app.handle(proxy, window, () => {}, {});
  }, "without state nobody knows where its messages come from");
  await refused((app, state, proxy) => on(app, proxy, state), "that no flow writes to");
  await refused((app, state, proxy, source) => {
    app.handle(source, pass, { name: "a", state, sink: proxy });
    app.handle(source, pass, { name: "b", state, sink: proxy });
    on(app, proxy, state);
  }, 'flows "a" and "b" write to the Proxy that it reads');
  await refused((app, state, proxy, source) => {
    app.handle(source, pass, { name: "a", state, sink: proxy });
    app.handle(merge(proxy, new WindowSource(1, "other")), window, () => {}, {
      name: "windows",
      state,
    });
  }, "it reads a Proxy beside other sources");
  await refused((app, state, proxy, source) => {
    app.handle(merge(source, new WindowSource(1, "other")), pass, {
      name: "a",
      state,
      sink: proxy,
    });
    on(app, proxy, state);
  }, 'flow "a", which writes to the Proxy, reads a merge');
  await refused((app, state, proxy, source) => {
    const concurrency = { max: 2, by: "none" } as const;
    app.handle(source, pass, { name: "a", state, sink: proxy, concurrency });
    on(app, proxy, state);
  }, 'flow "a", which writes to the Proxy that it reads, handles messages concurrently');
  await refused((app, state, proxy, source) => {
    app.handle(source, pass, { name: "a", state, sink: proxy });
    const concurrency = { max: 2, by: "none" } as const;
    app.handle(proxy, () => {}, { name: "b", state, concurrency });
    on(app, proxy, state);
  }, 'flow "b" handles messages of the Proxy concurrently');
  await refused((app, state, proxy, source) => {
    app.handle(source, pass, { name: "a", state, sink: proxy });
    const concurrency = { max: 2, by: "none" } as const;
    app.handle(proxy, window, () => {}, { name: "windows", state, concurrency });
  }, "it reads a Proxy and handles messages concurrently");
  await refused((app, state, proxy, source) => {
    const other = new Proxy<Timed>();
    app.handle(source, pass, { name: "a", state, sink: other });
    app.handle(other, pass, { name: "b", state, sink: proxy });
    const concurrency = { max: 2, by: "none" } as const;
    app.handle(source, () => {}, { name: "c", state, concurrency });
    on(app, proxy, state);
  }, 'flow "c" handles messages of the same source concurrently, ahead of flow "a"');
  await refused((app, state, proxy, source) => {
    const results = minutes();
    app.handle(source, results, ({ key, end }) => at(end, key), { name: "a", state, sink: proxy });
    on(app, proxy, state);
  }, 'flow "a", which writes to the Proxy that it reads, has a window itself');
  await refused((app, state, proxy) => {
    const other = new Proxy<Timed>();
    app.handle(other, pass, { name: "a", state, sink: proxy });
    app.handle(proxy, pass, { name: "b", state, sink: other });
    on(app, proxy, state);
  }, "in a circle of flows");
  await refused((app, state, proxy, source) => {
    gateOf(source).corrector = "weather";
    app.handle(source, pass, { name: "a", state, sink: proxy });
    on(app, proxy, state);
  }, 'checkpoint "weather" corrects the source of flow "a"');
});

Deno.test("what user code sends to the Proxy has no place in the source, and is refused", async () => {
  const source = new WindowSource();
  const state = open();
  const proxy = new Proxy<Timed>();
  const app = new App();
  app.handle(source, async (message) => await proxy.send(message), {
    name: "a",
    state,
    sink: proxy as never,
  });
  app.handle(proxy, minutes(), () => {}, { name: "windows", state });
  source.send([at(0)]);
  source.end();
  const error = await assertRejects(() => app.stream(), Error);
  assert(String((error.cause as Error).message).includes("user code sent it to a Proxy"));
});
