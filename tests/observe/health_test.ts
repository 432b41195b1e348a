import { assertEquals } from "@std/assert";
import { App, Proxy } from "@slipstream/slipstream";
import { Topic } from "@slipstream/slipstream/kafka";
import { MemoryBroker } from "@slipstream/slipstream/memory";
import { observer } from "@slipstream/slipstream/observe";
import { ManualClock } from "@slipstream/slipstream/testing";
import type { AppSnapshot, SourceSnapshot } from "../../mod.ts";
import { type Health, liveness, readiness } from "../../src/observe/health.ts";
import { Incidents } from "../../src/observe/incidents.ts";
import { ProgressWatch } from "../../src/observe/progress_watch.ts";
import { problemsOf } from "../../src/observe/problems.ts";
import { observed } from "../_support/observed.ts";
import { pricedOrders } from "../_support/priced_orders.ts";

const LIMITS = { stalledAfter: 60_000, waitingFor: 120_000 };
const NOTHING = { nodes: [], edges: [] };

const source: SourceSnapshot = {
  id: "source:orders",
  source: "orders",
  messages: 10,
  rate: 1,
  lag: 5,
  queue: undefined,
  pausedFor: [],
  waitsFor: undefined,
  watermark: undefined,
  partitions: [],
  ended: false,
};

function partition(partition: number, position: number, end: number, heldFor: string[] = []) {
  const lag = end - position;
  const caughtUp = lag === 0;
  return {
    partition,
    position,
    end,
    lag,
    committed: position,
    caughtUp,
    heard: undefined,
    heldFor,
  };
}

/** A streaming app with the one source. */
function streaming(given: Partial<SourceSnapshot>, more: Partial<AppSnapshot> = {}): AppSnapshot {
  return {
    at: 0,
    state: "streaming",
    startedAt: 0,
    endedAt: undefined,
    error: undefined,
    waitsFor: [],
    flows: [],
    sources: [{ ...source, ...given }],
    windows: [],
    checkpoints: [],
    stores: [],
    commits: undefined,
    ...more,
  };
}

Deno.test("liveness() is false for one partition without progress, whatever the others do", async () => {
  const clock = new ManualClock();
  const watch = new ProgressWatch(clock);
  const at = (moving: number) =>
    streaming({
      partitions: [partition(0, moving, 1_000), partition(1, 7, 20), partition(2, 9, 9), {
        ...partition(3, 1, 4, ["checkpoint x"]),
      }],
    });
  watch.see(at(1), NOTHING);
  await clock.tick(60_000);
  watch.see(at(2), NOTHING);
  assertEquals(liveness(at(2), NOTHING, watch, LIMITS).ok, true);
  await clock.tick(1_000);
  watch.see(at(3), NOTHING);
  const { ok, checks } = liveness(at(3), NOTHING, watch, LIMITS);
  assertEquals(ok, false);
  assertEquals(checks.map(({ partition, ok, reason }) => [partition, ok, reason]), [
    [0, true, "makes progress"],
    [1, false, "no progress for 61 s at position 7, lag 13"],
    [2, true, "has nothing to do"],
    [3, true, "held: checkpoint x"],
  ]);
});

Deno.test("liveness() is true for a source that is paused, however long", async () => {
  const clock = new ManualClock();
  const watch = new ProgressWatch(clock);
  const paused = streaming({ pausedFor: ["lunch"], partitions: [partition(0, 1, 5)] });
  watch.see(paused, NOTHING);
  await clock.tick(1e9);
  watch.see(paused, NOTHING);
  assertEquals(liveness(paused, NOTHING, watch, LIMITS), {
    ok: true,
    checks: [{ id: "source:orders", ok: true, reason: "paused: lunch" }],
  });
});

Deno.test("liveness() is true while it waits for brokers or a rebalance, for so long", () => {
  const watch = new ProgressWatch(new ManualClock());
  const waiting = (sinceMs: number) => streaming({ waitsFor: { what: "the brokers", sinceMs } });
  assertEquals(liveness(waiting(120_000), NOTHING, watch, LIMITS).ok, true);
  assertEquals(liveness(waiting(120_001), NOTHING, watch, LIMITS).ok, false);
  assertEquals(readiness(waiting(1_000)).ok, false);
});

Deno.test("liveness() is true for what a checkpoint holds in mode wait", async () => {
  const clock = new ManualClock();
  const watch = new ProgressWatch(clock);
  const held = [{ partition: 0, time: 1, sinceMs: 1, waitsFor: ["rates"] }];
  const snapshot = streaming({ partitions: [partition(0, 1, 5)] }, {
    checkpoints: [{ checkpoint: "c", dependent: "source:orders", held } as never],
  });
  watch.see(snapshot, NOTHING);
  await clock.tick(1e9);
  watch.see(snapshot, NOTHING);
  assertEquals(
    liveness(snapshot, NOTHING, watch, LIMITS).checks[0]?.reason,
    "held by checkpoint c, for rates",
  );
});

Deno.test("liveness() begins anew after a rest: an idle partition that gets a message is not dead at once", async () => {
  const HOUR = 3_600_000;
  const behind = { partitions: [partition(0, 5, 6)] };
  const held = { partition: 0, time: 1, sinceMs: 1, waitsFor: ["rates"] };
  const checkpoints = [{ checkpoint: "c", dependent: "source:orders", held: [held] } as never];
  const rests: Record<string, AppSnapshot> = {
    idle: streaming({ partitions: [partition(0, 5, 5)] }),
    paused: streaming({ ...behind, pausedFor: ["lunch"] }),
    held: streaming({ partitions: [partition(0, 5, 6, ["stocktaking"])] }),
    away: streaming({ ...behind, waitsFor: { what: "the brokers to answer", sinceMs: HOUR } }),
    waiting: streaming(behind, { checkpoints }),
  };
  for (const [rest, snapshot] of Object.entries(rests)) {
    const clock = new ManualClock();
    const watch = new ProgressWatch(clock);
    watch.see(snapshot, NOTHING);
    await clock.tick(HOUR);
    watch.see(snapshot, NOTHING);
    await clock.tick(1_000);
    const now = streaming(behind);
    watch.see(now, NOTHING);
    assertEquals([rest, liveness(now, NOTHING, watch, LIMITS).ok], [rest, true]);
    assertEquals([rest, problemsOf(now, watch, new Incidents())], [rest, []]);
    await clock.tick(61_000);
    watch.see(now, NOTHING);
    assertEquals([rest, liveness(now, NOTHING, watch, LIMITS).ok], [rest, false]);
  }
});

Deno.test("liveness() is true while the app starts, for so long, and while it stops, for as long as that takes", () => {
  const watch = new ProgressWatch(new ManualClock());
  const after = (state: "starting" | "stopping", sinceMs: number) =>
    liveness(
      streaming({ ended: true }, {
        state,
        waitsFor: [{ what: "a checkpoint is opened", sinceMs }],
      }),
      NOTHING,
      watch,
      LIMITS,
    ).ok;
  assertEquals(after("starting", 120_000), true);
  assertEquals(after("starting", 120_001), false);
  assertEquals(after("stopping", 1e9), true);
});

Deno.test("liveness() is true for a flow that waits for a full Proxy that is paused", async () => {
  const clock = new ManualClock();
  const app = new App({ clock });
  const proxy = new Proxy<number>({ bound: 1 });
  app.handle([1, 2, 3], (n) => n, { name: "send", sink: proxy });
  app.handle(proxy, () => {}, { name: "read" });
  using seen = observer(app, { clock });
  app.pause(proxy, "lunch");
  const streaming = app.stream();
  await clock.tick(1);
  await clock.tick(1e6);
  const live = await seen.fetch(new Request("http://localhost/live"));
  const { ok, checks } = await live.json();
  assertEquals([live.status, ok], [200, true]);
  assertEquals(
    checks.find(({ id }: { id: string }) => id === "flow:send").reason,
    "writes to sink 1 (Proxy) for 17 min: what it writes to is paused",
  );
  app.resume(proxy, "lunch");
  await streaming;
});

Deno.test("/live is 503 when a message is in flight for too long, with the reason", async () => {
  const clock = new ManualClock();
  await using seen = observed({ clock, stalledAfter: { minutes: 1 } }, { clock });
  await seen.begin();
  await clock.tick(60_000);
  assertEquals((await seen.get("/live")).status, 200);
  await clock.tick(2_000);
  const response = await seen.get("/live");
  assertEquals(response.status, 503);
  const { checks } = await response.json();
  assertEquals(checks.filter(({ ok }: { ok: boolean }) => !ok), [
    { id: "flow:wait", ok: false, reason: "handles a message for 62 s" },
  ]);
});

Deno.test("/live is 503 after an error has ended the app, and 200 after its end", async () => {
  for (const fails of [true, false]) {
    const app = new App();
    app.handle([1], () => {
      if (fails) throw new Error("boom");
    });
    using seen = observer(app);
    await app.stream().catch(() => {});
    assertEquals(
      (await seen.fetch(new Request("http://localhost/live"))).status,
      fails ? 503 : 200,
    );
  }
});

Deno.test("/ready is 503 until a Topic has its partitions, 200 then, also while it is paused", async () => {
  await using broker = new MemoryBroker();
  await using topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
  const app = new App();
  app.handle(topic, () => {}, { name: "count" });
  using seen = observer(app);
  const ready = async () => {
    const response = await seen.fetch(new Request("http://localhost/ready"));
    const { reason } = (await response.json()).checks.at(-1);
    return [response.status, reason.replace(/\d+ ms/, "n ms")];
  };
  assertEquals((await ready())[0], 503);
  const streaming = app.stream();
  assertEquals(await ready(), [503, "waits for a connection to the brokers for n ms"]);
  while (app.snapshot().state !== "streaming") await new Promise((done) => setTimeout(done));
  assertEquals(await ready(), [200, "is read"]);
  app.pause(topic, "lunch");
  assertEquals(await ready(), [200, "paused: lunch"]);
  await app.close();
  await streaming;
  assertEquals((await ready())[0], 503);
});

Deno.test("/ready is 503 until the checkpoint is restored, and 200 while it pauses its dependent", async () => {
  const restored = Promise.withResolvers<void>();
  const cache = { get: () => restored.promise, set: () => Promise.resolve() };
  await using set = await pricedOrders({ downtimeThreshold: 10, cache });
  const { rates, orders, rate, price } = set;
  const app = new App();
  app.handle(rates, rate);
  app.handle(orders, price);
  using seen = observer(app);
  const ready = async () => {
    const response = await seen.fetch(new Request("http://localhost/ready"));
    const { checks } = await response.json() as Health;
    return [response.status, ...checks.map(({ reason }) => reason)];
  };
  const streaming = app.stream();
  assertEquals(await ready(), [
    503,
    "starting: a checkpoint is being opened",
    "the app is starting",
    "is read",
    "is read",
  ]);
  restored.resolve();
  while (app.snapshot().state !== "streaming") await new Promise((done) => setTimeout(done));
  assertEquals(await ready(), [200, "is read", "is read"]);
  await rates.send({ value: "1" });
  while (app.snapshot().checkpoints[0]!.frontier !== 1) {
    await new Promise((done) => setTimeout(done));
  }
  await orders.send({ value: "2" });
  await orders.send({ value: "100" });
  while (!app.snapshot().checkpoints[0]!.pauses) await new Promise((done) => setTimeout(done));
  assertEquals(await ready(), [200, "is read", "paused: checkpoint priced"]);
  await app.close();
  await streaming;
});

Deno.test("/live and /ready are 200 for a member of a group that gets no partitions, since others have them", async () => {
  await using broker = new MemoryBroker();
  await broker.ensure("in", { partitions: 1 });
  const member = () => {
    const topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
    const app = new App();
    app.handle(topic, () => {}, { name: "count" });
    const seen = observer(app);
    const probe = async (name: string) => {
      const response = await seen.fetch(new Request(`http://localhost/${name}`));
      const { checks } = await response.json() as Health;
      return [response.status, checks.map(({ reason }) => reason)];
    };
    return { topic, app, seen, probe, streaming: app.stream() };
  };
  const members = [member(), member()];
  const counts = () =>
    members.map(({ app }) => {
      const { state, sources: [source] } = app.snapshot();
      const isWell = state === "streaming" && source!.waitsFor === undefined;
      return isWell ? source!.partitions.length : undefined;
    });
  while (counts().toSorted().join() !== "0,1") await new Promise((done) => setTimeout(done));
  for (const { probe } of members) {
    assertEquals(await probe("live"), [200, ["has nothing to do"]]);
    assertEquals(await probe("ready"), [200, ["is read"]]);
  }
  for (const { app, streaming, topic, seen } of members) {
    await app.close();
    await streaming;
    await topic.close();
    seen.close();
  }
});

Deno.test("problemsOf() tells a partition that lags far behind the others, and one that stands still", async () => {
  const clock = new ManualClock();
  const watch = new ProgressWatch(clock);
  const snapshot = streaming({
    partitions: [partition(0, 90, 100), partition(1, 100, 5_000), partition(2, 95, 100)],
  });
  watch.see(snapshot, NOTHING);
  assertEquals(
    problemsOf(snapshot, watch, new Incidents()).map(({ severity, text }) => [severity, text]),
    [
      ["warn", "orders partition 1 lags: 4,900 messages, the others 10"],
    ],
  );
  await clock.tick(11_000);
  watch.see(snapshot, NOTHING);
  assertEquals(problemsOf(snapshot, watch, new Incidents())[1], {
    severity: "bad",
    id: "source:orders",
    text: "orders partition 1 stands still at 100 for 11 s, with a lag of 4,900",
  });
});

Deno.test("problemsOf() tells a failing commit, a full disk, a dead dependency and dead letters, without messages", () => {
  const failure = {
    at: 0,
    name: "CacheStorageError",
    text: "Cannot write to cache: the disk is full",
    quotes: false,
  };
  const watch = new ProgressWatch(new ManualClock());
  const snapshot = streaming({ lag: 0 }, {
    at: 2_000,
    commits: {
      commits: 1,
      failures: 4,
      lastAt: 0,
      ageMs: 1,
      durationMs: 1,
      failingMs: 9_000,
      lastError: failure,
      waitsFor: [],
    },
    stores: [{ id: undefined, store: "cache", failure } as never],
    flows: [{
      id: "flow:parse",
      flow: "parse",
      attempt: 1,
      errors: 2,
      skipped: 0,
      deadLetters: 2,
      errorKinds: [{
        count: 2,
        last: {
          at: 0,
          name: "SyntaxError",
          text: "secret",
          quotes: true,
          topic: "orders",
          partition: 1,
          offset: 17,
          line: "shop.ts:12:5",
        },
      }, { count: 1, last: { ...failure, at: 1_000 } }],
    } as never],
    checkpoints: [{
      id: "checkpoint:c",
      checkpoint: "c",
      pauses: true,
      held: [],
      stale: {},
      dependencies: [{
        dependency: "rates",
        down: true,
        downMs: 61_000,
        lagging: [],
        unheard: 0,
      }],
    } as never],
  });
  assertEquals(problemsOf(snapshot, watch, new Incidents()).map(({ text }) => text), [
    "cache is not saved: Cannot write to cache: the disk is full",
    "Commits have failed for 9 s: Cannot write to cache: the disk is full",
    "rates is down for 61 s: its dependent is paused (checkpoint c)",
    "Flow parse failed 2 times, 2 s ago: SyntaxError (orders partition 1 offset 17) at shop.ts:12:5 " +
    "(2 dead letters so far)",
    "Flow parse failed once, 1 s ago: Cannot write to cache: the disk is full (2 dead letters so far)",
  ]);
});
