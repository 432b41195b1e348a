import { assertEquals, assertThrows } from "@std/assert";
import { MemoryBroker } from "../../src/kafka/memory/broker.ts";
import { type SeekPosition, Topic } from "../../src/kafka/mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { FeedDriver } from "../_support/feed_driver.ts";
import { GroupReader } from "../_support/group_reader.ts";
import { write } from "../_support/records.ts";

Deno.test('Topic starts at "latest" by itself when who reads partition 0 does not say where for long', async () => {
  await using broker = new MemoryBroker();
  await broker.ensure("in", { partitions: 2 });
  for (const partition of [0, 1]) await write(broker, "in", ["old"], partition);
  // It is no Topic, and commits nothing.
  await using _other = await GroupReader.join(broker, { topic: "in", groupId: "g" });
  const clock = new ManualClock();
  const patience = { sessionTimeout: 1_000, heartbeatInterval: 100 };
  await using topic = new Topic("in", { broker, groupId: "g", ...patience });
  await using driver = new FeedDriver(topic, { clock });
  let ready = false;
  const begun = driver.feed.ready!().then(() => ready = true);
  for (let time = 0; time < 1_000; time += 100) {
    await settle();
    await clock.tick(100);
    assertEquals(ready, false);
  }
  await settle();
  await clock.tick(100);
  await begun;
  assertEquals([...await broker.committed("g", "in")], [[1, 1]]);
  await write(broker, "in", ["new"], 1);
  await driver.until((messages) => messages.length === 1);
  assertEquals(driver.messages[0]!.value, "new");
});

const refused: [string, unknown, string][] = [
  ["a Date", new Date(5), 'topic "in" at a Date: pass { timestamp: date.getTime() }'],
  ["a Date as timestamp", { timestamp: new Date(5) }, "must be a number of milliseconds"],
  ["a text as timestamp", { timestamp: "5" }, "must be a number of milliseconds: 5"],
  ["a time before 1970", { timestamp: -1 }, "timestamp must be >= 0: -1"],
];
for (const [what, offset, reason] of refused) {
  Deno.test(`Topic refuses ${what} as an offset`, () => {
    assertThrows(() => new Topic("in", { offset: offset as SeekPosition }), Error, reason);
  });
}

/** A broker that says `times` times that partition 0 ends at 2, as a leader that was cut off may. */
class Behind extends MemoryBroker {
  constructor(public times: number) {
    super();
  }

  override async offsets(...args: Parameters<MemoryBroker["offsets"]>) {
    const found = await super.offsets(...args);
    return args[1] === "latest" && this.times-- > 0 ? new Map([[0, 2]]) : found;
  }
}

for (const [times, rest] of [[3, 0], [Infinity, 5]] as const) {
  Deno.test(`Topic hears ${times} times that it has read more than there is, and begins at ${rest === 0 ? "its commit" : "the first message"}`, async () => {
    await using broker = new Behind(0);
    await broker.ensure("in", { partitions: 1 });
    await write(broker, "in", ["a", "b", "c", "d", "e"]);
    const clock = new ManualClock();
    const lost: unknown[] = [];
    const options = { broker, groupId: "g", offset: "earliest" } as const;
    {
      await using topic = new Topic("in", options);
      await using driver = new FeedDriver(topic, { clock });
      await driver.until((messages) => messages.length === 5);
      await driver.commit();
    }
    broker.times = times;
    await using topic = new Topic("in", {
      ...options,
      onStatus: (status) => void (status.type === "lost" && lost.push(status)),
    });
    await using driver = new FeedDriver(topic, { clock });
    let ready = false;
    const begun = driver.feed.ready!().then(() => ready = true);
    while (!ready) {
      await settle();
      await clock.tick(500);
    }
    await begun;
    assertEquals(lost.length, rest === 0 ? 0 : 1);
    await write(broker, "in", ["f"]);
    await driver.until((messages) => messages.length === rest + 1);
    assertEquals(driver.messages.at(-1)!.value, "f");
  });
}
