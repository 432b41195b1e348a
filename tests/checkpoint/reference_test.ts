import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { App, Checkpoint, type CheckpointOptions, Dependency } from "../../mod.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";

const MINUTE = 60_000;
const at = (time: string) => new Date(`2025-01-01T${time}:00Z`);

async function* emoji() {
  yield* ["🏆", "📞", "🐟", "👌"];
}

async function* oneAndSilence() {
  yield "🏆";
  await new Promise(() => {});
}

function make(options: Partial<CheckpointOptions> = {}, ...names: string[]) {
  const dependencies = (names.length === 0 ? ["dependency"] : names)
    .map((name) => new Dependency(name, emoji()));
  return new Checkpoint("dependent", { dependent: emoji(), dependencies, ...options });
}

Deno.test("Checkpoint answers as the reference's walk-through does", async () => {
  const dependent = emoji();
  const dependency = new Dependency("dependency", emoji());
  const c = new Checkpoint("dependent", { dependent, dependencies: [dependency] });
  assertEquals([dependency.checkpointState, dependency.checkpointMarker], [undefined, undefined]);

  // No message of the dependency yet: the first pulse gives it a marker.
  assertEquals(await c.checkPulse(at("10:00"), { offset: 8 }), undefined);
  assertEquals(c.dependency("dependency").checkpointMarker, at("10:00"));

  assertEquals(await c.heartbeat(at("10:30")), {
    isLate: false,
    dependentMarker: at("10:00"),
    dependencyMarker: at("10:30"),
  });

  // No dependency message for 30 minutes: it is down.
  assertEquals(await c.checkPulse(at("11:00"), { offset: 9 }), 30 * MINUTE);
  assertEquals(gateOf(dependent).closed, true);

  // It has to catch up with the dependent.
  assertEquals((await c.heartbeat(at("10:45"))).isLate, true);
  assertEquals(gateOf(dependent).closed, true);
  assertEquals((await c.heartbeat(at("11:01"))).isLate, false);
  assertEquals(gateOf(dependent).closed, false);
  assertEquals(dependency.checkpointState, { offset: 9 });
  assertEquals(dependency.isDown, false);
});

Deno.test("Checkpoint.checkPulse() merges state and keeps the marker", async () => {
  const c = make();
  await c.checkPulse(at("10:00"), { 0: 5 });
  await c.checkPulse(at("10:01"), { 1: 7 });
  assertEquals(c.state, { 0: 5, 1: 7 });
  assertEquals(c.stateMarker, at("10:01"));
});

Deno.test("Checkpoint.checkPulse() reports the worst of the dependencies that are down", async () => {
  const c = make({}, "a", "b");
  await c.heartbeat(at("10:00"), { dependency: "a" });
  await c.heartbeat(at("10:20"), { dependency: "b" });
  assertEquals(await c.checkPulse(at("10:31")), 31 * MINUTE);
  assertEquals([c.dependency("a").isDown, c.dependency("b").isDown], [true, true]);
});

Deno.test("Checkpoint calls downtimeCallback once in an outage, and recoveryCallback once after it", async () => {
  const log: string[] = [];
  const c = make({
    downtimeCallback: (_, { name }) => void log.push(`down ${name}`),
    recoveryCallback: async (checkpoint, { name, isDown }) => {
      await settle();
      log.push(`up ${name} ${isDown} ${gateOf(checkpoint.dependent).closed}`);
    },
  });
  await c.heartbeat(at("10:00"));
  await c.checkPulse(at("10:11"));
  await c.checkPulse(at("10:12"));
  await c.heartbeat(at("10:11"));
  assertEquals(log, ["down dependency"]);
  await c.heartbeat(at("10:13"));
  assertEquals(log, ["down dependency", "up dependency false true"]);
  assertEquals(gateOf(c.dependent).closed, false);
  await c.checkPulse(at("11:00"));
  assertEquals(log.length, 3);
});

Deno.test("Checkpoint with pauseDependent: false detects without pausing", async () => {
  const c = make({ pauseDependent: false });
  await c.heartbeat(at("10:00"));
  assertEquals(await c.checkPulse(at("10:11")), 11 * MINUTE);
  assertEquals(gateOf(c.dependent).closed, false);
});

Deno.test("Dependency asks a downtimeCheck and a recoveryCheck of one's own", async () => {
  const dependency = new Dependency("dependency", emoji(), {
    downtimeCheck: ({ stateMarker }, { checkpointMarker }) =>
      Number(stateMarker) - Number(checkpointMarker) > 3 ? 99 : undefined,
    recoveryCheck: (_, { checkpointMarker }) => Number(checkpointMarker) === 7,
  });
  const c = new Checkpoint("dependent", { dependent: emoji(), dependencies: [dependency] });
  await c.heartbeat(1);
  assertEquals(await c.checkPulse(4), undefined);
  assertEquals(await c.checkPulse(5), 99);
  assertEquals((await c.heartbeat(6)).isLate, true);
  assertEquals((await c.heartbeat(7)).isLate, false);
});

Deno.test("Checkpoint and Dependency take callbacks that are functions of a Checkpoint and a Dependency", async () => {
  const names: string[] = [];
  const note = (checkpoint: Checkpoint, { name }: Dependency) => {
    names.push(`${checkpoint.name} ${name}`);
  };
  const never = (checkpoint: Checkpoint, _: Dependency) => checkpoint.name === "";
  const dependency = new Dependency("dependency", emoji(), { recoveryCheck: never });
  const c = new Checkpoint("dependent", {
    dependent: emoji(),
    dependencies: [dependency],
    downtimeCallback: note,
  });
  await c.heartbeat(1);
  await c.checkPulse(1_000_000);
  assertEquals(names, ["dependent dependency"]);
});

Deno.test("Checkpoint compares Dates, Temporal.Instants and numbers, but not with each other", async () => {
  const instants = make();
  await instants.heartbeat(Temporal.Instant.from("2025-01-01T10:00Z"));
  assertEquals(
    await instants.checkPulse(Temporal.Instant.from("2025-01-01T10:11Z")),
    11 * MINUTE,
  );
  assertEquals(String(instants.stateMarker), "2025-01-01T10:11:00Z");
  await assertRejects(
    () => instants.checkPulse(5),
    TypeError,
    'Cannot compare the markers of checkpoint "dependent": they were of kind Temporal.Instant, and now ' +
      "one is of kind number",
  );
  await assertRejects(() => make().heartbeat("10:00" as never), TypeError, "got string");
  await assertRejects(() => make().heartbeat(new Date("x")), RangeError, "invalid Date");
  await assertRejects(() => make().checkPulse(NaN), RangeError, "current value is NaN");
});

Deno.test("Checkpoint.heartbeat() needs the name of one of several dependencies", async () => {
  const c = make({}, "weather", "traffic");
  await assertRejects(() => c.heartbeat(1), TypeError, "pass { dependency }");
  await assertRejects(
    () => c.heartbeat(1, { dependency: "wether" }),
    TypeError,
    'Cannot find dependency "wether" of checkpoint "dependent": did you mean "weather"?',
  );
  assertThrows(() => c.dependency("trafic"), TypeError, 'did you mean "traffic"?');
});

Deno.test("Checkpoint and Dependency print what they know", async () => {
  const c = make();
  await c.checkPulse(at("10:00"), { offset: 8 });
  assertEquals(
    String(c),
    '{"state":{"offset":8},"stateMarker":"2025-01-01T10:00:00.000Z","checkpoints":{"dependency":' +
      '{"checkpointState":{"offset":8},"checkpointMarker":"2025-01-01T10:00:00.000Z"}}}',
  );
  assertEquals(
    Deno.inspect(new Dependency("d", emoji())),
    "Dependency { checkpointState: undefined, checkpointMarker: undefined }",
  );
});

Deno.test("Checkpoint pauses a dependent that is handled: the message that found the downtime is the last one", async () => {
  const c = make({}, "weather");
  const log: string[] = [];
  const app = new App();
  app.handle(c.dependent, async (message) => {
    log.push(message as string);
    await c.checkPulse(log.length === 3 ? 1_000_000 : log.length);
  });
  await c.heartbeat(1);
  const streaming = app.stream();
  for (let turn = 0; turn < 10; turn++) await settle();
  assertEquals(log, ["🏆", "📞", "🐟"]);
  await c.heartbeat(1_000_001);
  await streaming;
  assertEquals(log.length, 4);
});

Deno.test("Checkpoint keeps its record in a cache, under a documented key, and starts paused when it was down", async () => {
  const kept = new Map<string, unknown>();
  const cache = {
    get: (key: string) => Promise.resolve(kept.get(key)),
    set: (key: string, value: unknown) =>
      Promise.resolve(void kept.set(key, structuredClone(value))),
  };
  const clock = new ManualClock(Date.UTC(2025, 0, 2));
  async function run(handler: (c: Checkpoint) => Promise<unknown>) {
    const dependencies = [new Dependency("dependency", oneAndSilence())];
    const c = make({ cache, cacheKeyPrefix: "pre", dependencies });
    const app = new App({ clock });
    app.handle(c.dependency("dependency").dependency, () => handler(c));
    app.handle(c.dependent, () => {});
    const stop = new AbortController();
    const streaming = app.stream({ signal: stop.signal });
    for (let turn = 0; turn < 30; turn++) await settle();
    const closed = gateOf(c.dependent).closed;
    stop.abort();
    await streaming;
    return { c, closed };
  }
  const first = await run(async (c) => {
    if (c.stateMarker !== undefined) return;
    await c.heartbeat(at("10:00"));
    await c.checkPulse(at("10:30"), { offset: 9 });
  });
  assertEquals(first.closed, true);
  assertEquals([...kept.keys()], ["pre_dependent_"]);
  const second = await run(() => Promise.resolve());
  assertEquals(second.closed, true);
  assertEquals(second.c.state, { offset: 9 });
  assertEquals(second.c.stateMarker, at("10:30"));
  assertEquals(second.c.dependency("dependency").checkpointMarker, at("10:00"));
  assertEquals(second.c.dependency("dependency").isDown, true);
});

Deno.test("Checkpoint refuses what it cannot be made of", () => {
  const dependencies = [new Dependency("d", emoji())];
  const dependent = emoji();
  const wrong = (options: object, message: string) =>
    assertThrows(
      () => new Checkpoint("c", { dependent, dependencies, ...options }),
      Error,
      message,
    );
  wrong({ dependant: 1 }, 'did you mean "dependent"?');
  wrong({ dependent: "text" }, "the dependent must be a source, as an object");
  wrong({ dependencies: [] }, "give it a list of dependencies");
  wrong({ dependencies: [{}] }, "a dependency must be a Dependency");
  wrong({ mode: "wait" }, 'in mode "wait" without time');
  wrong(
    { mode: "later" },
    'option "mode" of checkpoint "c" as it must be "emit" or "wait": current value is "later"',
  );
  wrong(
    { maxPause: -1 },
    '"maxPause" of checkpoint "c" as it must be a duration of milliseconds >= 0: current value is -1',
  );
  wrong(
    { recoveryCallback: 5 },
    '"recoveryCallback" of checkpoint "c" as it must be a function: current value is 5',
  );
  wrong(
    { cache: new Map([["get", 1]]).values() },
    '"cache" of checkpoint "c" as it must be a store with get() and set()',
  );
  wrong({ correct: true }, "its dependent cannot be read again, so nothing can be corrected");
  new Checkpoint("c", { dependent, dependencies });
  wrong({}, 'dependency "d" belongs to checkpoint "c"');
  assertThrows(() => new Dependency("", emoji()), TypeError, "a name must be a non-empty string");
  assertThrows(() => new Dependency("d", "text"), TypeError, "its stream must be a source");
  assertThrows(
    () => new Dependency("d", emoji(), { outOfOrdernes: 1 } as object),
    TypeError,
    "outOfOrderness",
  );
  assertThrows(() => new Dependency("d", emoji(), { onEnd: "x" as "down" }), TypeError, 'is "x"');
  const unbounded = { outOfOrderness: Infinity };
  assertThrows(() => new Dependency("d", emoji(), unbounded), RangeError, "finite milliseconds");
});
