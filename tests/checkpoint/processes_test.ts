/** Several processes that share the partitions of a dependent: what is known of one goes with it. */
import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { App, Checkpoint, Dependency, DrainError, MemoryCache } from "../../mod.ts";
import { HoldingStore } from "../_support/holding_store.ts";
import { type Process, Processes, until } from "../_support/processes.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import { kafka, memory, type TopicFixture } from "../_support/topic_fixture.ts";

/** Waits until each of the processes reads one partition, and returns which. */
async function shared(...processes: Process[]): Promise<number[]> {
  await until(() => new Set(processes.flatMap(({ reads }) => reads)).size === 2);
  await until(() => processes.every(({ reads }) => reads.length === 1));
  return processes.map(({ reads }) => reads[0]!);
}

function testProcesses(fixture: TopicFixture): void {
  const test = (title: string, body: (world: Processes) => Promise<void>) =>
    fixture.test(`Checkpoint on ${fixture.name}: ${title}`, async () => {
      await using world = await Processes.open(fixture);
      await body(world);
    });

  test("a partition that moves in the middle of an outage is corrected where it is read then", async (world) => {
    const a = await world.start("a");
    await until(() => a.reads.length === 2);
    await world.say(0, "sun");
    await until(() => a.stored.length === 1);
    await world.ask(500, 0);
    await world.ask(500, 1);
    await until(() => world.answers.size === 2);
    await world.ask(1600, 0);
    await until(() => a.dependency.isDown && world.answers.size === 3);
    const b = await world.start("b");
    const [ofA, ofB] = await shared(a, b);
    await until(() => b.stored.length === 1);
    await world.say(400, "rain");
    await world.say(2000, "snow");
    await until(() => world.right);
    world.assertRight();
    assertEquals(world.answers.get(`${ofA}:0`)!.by, "a");
    assertEquals(world.answers.get(`${ofB}:0`), { by: "b", value: "sun+rain" });
    assert(world.log.includes(`b ${ofB}:0 sun+rain again`));
  });

  test("a partition whose process dies goes on from its row and the commits", async (world) => {
    const b = await world.start("b");
    const a = await world.start("a", { mortal: true, stuckAt: 600 });
    const [ofA, ofB] = await shared(a, b);
    await world.say(0, "sun");
    await until(() => a.stored.length === 1 && b.stored.length === 1);
    await world.ask(500, ofA!);
    await world.ask(500, ofB!);
    await world.kept(ofA!, 1);
    await world.say(400, "rain"); // from now on what has been answered is wrong
    await until(() => a.stored.length === 2 && b.stored.length === 2);
    await world.ask(600, ofA!);
    await assertRejects(() => a.stop(), DrainError);
    await world.ask(700, ofA!);
    await until(() => world.answers.has(`${ofA}:2`));
    await world.say(1000, "snow");
    await until(() => world.right);
    world.assertRight();
    assertEquals(world.answers.get(`${ofA}:0`), { by: "b", value: "sun+rain" });
  });
}

testProcesses(memory);
testProcesses(kafka);

function test(title: string, body: (world: Processes) => Promise<void>, weatherPartitions = 1) {
  Deno.test(`Checkpoint in several processes: ${title}`, async () => {
    await using world = await Processes.open(memory, weatherPartitions);
    await body(world);
  });
}

test("a partition given to a process that is down starts paused", async (world) => {
  const a = await world.start("a");
  const b = await world.start("b");
  const [ofA, ofB] = await shared(a, b);
  await world.say(0, "sun");
  await until(() => a.stored.length === 1 && b.stored.length === 1);
  await world.ask(1600, ofB!);
  await until(() => b.dependency.isDown);
  await a.stop();
  await until(() => b.reads.length === 2);
  assertEquals(gateOf(b.questions).closed, true);
  await world.ask(1700, ofA!);
  await b.commitAfter(() => world.say(400, "rain"));
  assertEquals(world.answers.has(`${ofA}:0`), false);
  await world.say(2000, "snow");
  await until(() => world.right);
  world.assertRight();
  world.assertMarked();
  assertEquals(world.log.filter((line) => line.includes(`${ofA}:0`)), [`b ${ofA}:0 sun+rain`]);
});

test("a partition that comes back is corrected where it came back to", async (world) => {
  const a = await world.start("a");
  await until(() => a.reads.length === 2);
  await world.say(0, "sun");
  await until(() => a.stored.length === 1);
  for (const partition of [0, 1]) await world.ask(100, partition);
  await until(() => world.answers.size === 2);
  const b = await world.start("b");
  const [, ofB] = await shared(a, b);
  await until(() => b.stored.length === 1);
  await world.ask(500, ofB!);
  await until(() => world.answers.get(`${ofB}:1`)?.by === "b");
  await b.stop();
  await until(() => a.reads.length === 2);
  await world.say(400, "rain");
  await world.say(900, "snow");
  await until(() => world.right);
  world.assertRight();
  world.assertMarked();
  assertEquals(world.answers.get(`${ofB}:1`), { by: "a", value: "sun+rain" });
});

test("a partition corrected elsewhere since then is not taken for what it was", async (world) => {
  const a = await world.start("a");
  await until(() => a.reads.length === 2);
  await world.say(0, "sun");
  await until(() => a.stored.length === 1);
  for (const partition of [0, 1]) await world.ask(500, partition);
  await until(() => world.answers.size === 2);
  const b = await world.start("b");
  const [, ofB] = await shared(a, b);
  await b.stop();
  assertEquals((await world.entries(ofB!)).map(({ record }) => record!.stale), [0]);
  await until(() => a.reads.length === 2);
  await world.say(900, "snow"); // nothing that a knows of makes it wrong
  await until(() => world.log.includes(`a ${ofB}:0 sun again`));
  world.assertRight();
  world.assertMarked();
});

test("a process that starts again takes its own rows as they are, and another's as provisional", async (world) => {
  await using cache = new MemoryCache();
  const run = async (body: (process: Process) => Promise<void>) => {
    const process = await world.start("a", { cache });
    await until(() => process.reads.length === 2);
    await body(process);
    await process.stop();
  };
  await run(async (a) => {
    await world.say(0, "sun");
    await until(() => a.stored.length === 1);
    await world.ask(500, 0);
    await world.ask(500, 1);
    await until(() => world.answers.size === 2);
  });
  await run(async ({ stored }) => {
    await world.say(900, "snow");
    await until(() => stored.length === 1);
    await world.ask(1000, 0);
    await until(() => world.answers.size === 3);
  });
  assertEquals(world.log.filter((line) => line.endsWith("again")), []);
  await cache.clear();
  await run(async () => {
    await world.say(2000, "fog");
    await until(() => world.log.some((line) => line.endsWith("again")));
  });
  const again = world.log.filter((line) => line.endsWith("again"));
  assertEquals(again.map((line) => line.split(" ")[1]), ["0:1"]);
});

test("the late commit of a process that has lost a partition changes nothing of its row", async (world) => {
  const partitions = new HoldingStore(world.rows);
  const a = await world.start("a", { partitions, rebalanceTimeout: 200 });
  await until(() => a.reads.length === 2);
  await world.say(0, "sun");
  await until(() => a.stored.length === 1);
  for (const partition of [0, 1]) await world.ask(500, partition);
  await world.kept(1, 1);
  partitions.hold();
  await world.ask(510, 1);
  await until(() => partitions.held.length > 0); // its commit is in flight
  const b = await world.start("b");
  await until(() => b.reads.length === 1 && b.stored.length === 1);
  assertEquals(b.reads, [1]);
  await world.kept(1, 2); // b has done it again
  const [ofB] = await world.entries(1);
  const { commits } = a;
  partitions.release();
  await Promise.all(partitions.held);
  assertEquals((await world.entries(1)).find(({ id }) => id === ofB!.id), ofB);
  await until(() => a.commits > commits); // and goes on
  await world.say(900, "snow");
  await until(() => world.right && a.reads.length === 1);
  await a.stop();
  await b.stop();
});

test("a row is written when something of its partition has changed", async (world) => {
  const partitions = new HoldingStore(world.rows);
  const a = await world.start("a", { partitions });
  await until(() => a.reads.length === 2);
  const written = (partition: number) =>
    partitions.updates.filter((key) => key.endsWith(`_${partition}`)).length;
  await world.say(10, "sun");
  await until(() => a.stored.length === 1);
  await world.ask(5, 0);
  await world.kept(0, 1);
  const before = [written(0), written(1)];
  await world.ask(6, 0);
  await world.kept(0, 2);
  await a.commitAfter(() => world.say(20, "rain"));
  assertEquals([written(0), written(1)], [before[0]! + 1, before[1]]);
  await a.stop();
});

test("members that share the group of a dependency are told so, each of them", async (world) => {
  const weatherGroup = world.name;
  const a = await world.start("a", { weatherGroup });
  await until(() => gateOf(a.weather).parts !== undefined);
  const b = await world.start("b", { weatherGroup });
  for (const { streaming } of [a, b]) {
    const error = await assertRejects(() => streaming, Error);
    const { message } = error.cause as Error;
    assertEquals(
      message,
      'Cannot follow dependency "weather" of checkpoint "question": this process reads 1 of its 2 ' +
        "partitions, since others read it in the same group; give each process a groupId of its own for it",
    );
  }
}, 2);

Deno.test("Checkpoint takes as partitions only a store that is not its cache, for a dependent that has any", async () => {
  const [dependent, weather] = [[1], [2]];
  const make = (options: object) =>
    new Checkpoint("c", {
      dependent,
      dependencies: [new Dependency("weather", weather)],
      ...options,
    });
  await using cache = new MemoryCache();
  const partitions = cache;
  assertThrows(() => make({ partitions: {} }), TypeError, "such as a shared Cache");
  assertThrows(() => make({ partitions, cache }), TypeError, "one store as cache and partitions");
  make({ partitions });
  const app = new App();
  app.handle(dependent, () => {});
  const error = await assertRejects(() => app.stream(), TypeError, "its dependent has none");
  assertNotEquals(error.message, "");
});
