import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { App, Checkpoint, Dependency } from "../../mod.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import { settle } from "../../src/testing/mod.ts";
import { Log, LogSource } from "../_support/log_source.ts";

Deno.test("Two checkpoints on one dependent: it goes on when neither is down, from the lesser position", async () => {
  const questions = new Log<number>();
  const dependent = new LogSource(questions);
  const logs = [new Log<number>(), new Log<number>()];
  const sources = logs.map((log) => new LogSource(log));
  const [first, second] = sources.map((source, index) =>
    new Checkpoint(`c${index}`, {
      dependent,
      dependencies: [new Dependency("d", source, { downtimeThreshold: 10 })],
      correct: true,
    })
  );
  const handled: number[] = [];
  const app = new App();
  app.handle(sources[0]!, ({ value }) => void first!.heartbeat(value));
  app.handle(sources[1]!, ({ value }) => void second!.heartbeat(value));
  app.handle(dependent, async ({ offset, value }) => {
    await first!.checkPulse(value);
    await second!.checkPulse(value);
    handled.push(offset);
  });
  const stop = new AbortController();
  const streaming = app.stream({ signal: stop.signal });
  const rest = async () => {
    for (let turn = 0; turn < 20; turn++) await settle();
  };
  for (const log of logs) log.append(0);
  await rest();
  for (const time of [1, 2, 3, 20]) questions.append(time);
  await rest();
  assertEquals(gateOf(dependent).reasons, ["checkpoint c0", "checkpoint c1"]);
  logs[0]!.append(3);
  logs[0]!.append(21);
  await rest();
  assertEquals(gateOf(dependent).reasons, ["checkpoint c1"]);
  logs[1]!.append(2);
  logs[1]!.append(21);
  await rest();
  assertEquals(dependent.sought, [{ 0: 2 }, { 0: 1 }]);
  assertEquals(handled, [0, 1, 2, 3, 1, 2, 3]);
  stop.abort();
  await streaming;
});

Deno.test("A dependent that is also a dependency holds the frontier of its own dependent back", async () => {
  const logs = { weather: new Log<number>(), trips: new Log<number>(), bills: new Log<number>() };
  const weather = new LogSource(logs.weather);
  const trips = new LogSource(logs.trips);
  const bills = new LogSource(logs.bills);
  const upper = new Checkpoint("trips", {
    dependent: trips,
    dependencies: [new Dependency("weather", weather)],
    correct: true,
  });
  const trip = new Dependency("trips", trips);
  const lower = new Checkpoint("bills", { dependent: bills, dependencies: [trip], correct: true });
  const billed: string[] = [];
  const app = new App();
  let known = "";
  let trips_ = "";
  app.handle(weather, async ({ value }) => {
    await upper.heartbeat(value);
    known = `w${value}`;
  });
  app.handle(trips, async ({ value }) => {
    await upper.checkPulse(value);
    await lower.heartbeat(value);
    trips_ = `trip ${value} in ${known}`;
  });
  app.handle(bills, async ({ value }) => {
    await lower.checkPulse(value);
    billed.push(trips_);
  });
  const stop = new AbortController();
  const streaming = app.stream({ signal: stop.signal });
  const rest = async () => {
    for (let turn = 0; turn < 30; turn++) await settle();
  };
  logs.weather.append(1);
  await rest();
  logs.trips.append(5);
  logs.trips.append(6);
  await rest();
  logs.bills.append(5);
  await rest();
  assertEquals(billed, ["trip 6 in w1"]);
  logs.weather.append(4); // makes both trips wrong
  logs.weather.append(9); // they are made again, and so is the bill
  await rest();
  assertEquals(billed, ["trip 6 in w1", "trip 6 in w9"]);
  stop.abort();
  await streaming;

  assertThrows(
    () =>
      new Checkpoint("circle", {
        dependent: weather,
        dependencies: [new Dependency("bills", bills)],
      }),
    TypeError,
    'Cannot make checkpoint "circle": its dependent depends on itself, through "circle" and "bills" and ' +
      '"trips"',
  );
});

Deno.test("A dependent that is not corrected does not hold its own dependent back for what is wrong", async () => {
  const logs = { weather: new Log<number>(), trips: new Log<number>(), bills: new Log<number>() };
  const weather = new LogSource(logs.weather);
  const trips = new LogSource(logs.trips);
  const bills = new LogSource(logs.bills);
  const upper = new Checkpoint("trips", {
    dependent: trips,
    dependencies: [new Dependency("weather", weather)],
  });
  const lower = new Checkpoint("bills", {
    dependent: bills,
    dependencies: [new Dependency("trips", trips)],
    mode: "wait",
    time: ({ value }) => value,
  });
  const billed: number[] = [];
  const app = new App();
  app.handle(weather, ({ value }) => void upper.heartbeat(value));
  app.handle(trips, async ({ value }) => {
    await upper.checkPulse(value);
    await lower.heartbeat(value);
  });
  app.handle(bills, ({ value }) => void billed.push(value));
  const stop = new AbortController();
  const streaming = app.stream({ signal: stop.signal });
  const rest = async () => {
    for (let turn = 0; turn < 30; turn++) await settle();
  };
  logs.weather.append(0);
  await rest();
  logs.trips.append(10);
  await rest();
  logs.weather.append(9); // makes the trip wrong
  logs.weather.append(1000);
  await rest();
  logs.trips.append(900);
  logs.bills.append(500);
  await rest();
  assertEquals(billed, [500]);
  stop.abort();
  await streaming;
});

Deno.test("Two checkpoints on one dependent need two names, and two in one cache need two keys", async () => {
  const entries = new Map<string, unknown>();
  const cache = {
    get: (key: string) => Promise.resolve(entries.get(key)),
    set: (key: string, value: unknown) => Promise.resolve(entries.set(key, value)),
  };
  const [first, second] = [new LogSource(new Log<number>()), new LogSource(new Log<number>())];
  const make = (name: string, dependent: object, cacheKeyPrefix = "_") => {
    const dependencies = [new Dependency("d", new LogSource(new Log<number>()))];
    return new Checkpoint(name, { dependent, dependencies, cache, cacheKeyPrefix } as never);
  };
  make("c", first);
  assertThrows(
    () => make("c", first, "other"),
    TypeError,
    'Cannot make checkpoint "c": its dependent already has one of that name',
  );
  make("c", second);
  const app = new App();
  app.handle(first, () => {});
  app.handle(second, () => {});
  for (let run = 0; run < 2; run++) {
    await assertRejects(
      () => app.stream(),
      TypeError,
      'Cannot keep checkpoint "c" under "__c_": another running checkpoint is kept there',
    );
  }
  const alone = new App();
  const stop = new AbortController();
  alone.handle(first, () => {});
  const streaming = alone.stream({ signal: stop.signal });
  stop.abort();
  await streaming;
});

Deno.test("Context.correction names the dependencies of all checkpoints that want a message made again", async () => {
  for (const late of [[5, 7], [7, 5]] as const) { // the second moves it on from there, or farther back
    const questions = new Log<number>();
    const dependent = new LogSource(questions);
    const logs = [new Log<number>(), new Log<number>()];
    const sources = logs.map((log) => new LogSource(log));
    const checkpoints = sources.map((source, index) =>
      new Checkpoint(`c${index}`, {
        dependent,
        dependencies: [new Dependency(`d${index}`, source)],
        correct: true,
      })
    );
    const seen: (readonly string[] | undefined)[] = [];
    const slow = Promise.withResolvers<void>();
    const app = new App();
    sources.forEach((source, index) =>
      app.handle(source, ({ value }) => void checkpoints[index]!.heartbeat(value))
    );
    app.handle(dependent, async ({ value }, { correction }) => {
      for (const checkpoint of checkpoints) await checkpoint.checkPulse(value);
      seen.push(correction?.dependencies.toSorted());
      if (seen.length === 3) await slow.promise;
    });
    const stop = new AbortController();
    const streaming = app.stream({ signal: stop.signal });
    const rest = async () => {
      for (let turn = 0; turn < 30; turn++) await settle();
    };
    for (const log of logs) log.append(0);
    await rest();
    for (const time of [5, 7, 8]) questions.append(time);
    await rest();
    logs.forEach((log, index) => {
      log.append(late[index]!);
      log.append(20);
    });
    await rest();
    slow.resolve();
    await rest();
    assertEquals(seen.slice(3), [["d0", "d1"], ["d0", "d1"], ["d0", "d1"]]);
    stop.abort();
    await streaming;
  }
});
