import { assertEquals, assertRejects } from "@std/assert";
import { App, type Cache, SourceError } from "../../mod.ts";
import { Topic, type TopicOptions } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { openState } from "../_support/numbers.ts";
import { temporaryFolder } from "../_support/temporary.ts";

/** Makes a broker with messages 0, 1, … in the two partitions of a topic. */
async function filled(messages: number): Promise<MemoryBroker> {
  const broker = new MemoryBroker();
  await broker.ensure("in", { partitions: 2 });
  await send(broker, 0, messages);
  return broker;
}

async function send(broker: MemoryBroker, from: number, to: number): Promise<void> {
  await using topic = new Topic("in", { broker });
  for (let n = from; n < to; n++) await topic.send({ value: `${n}`, partition: n % 2 });
}

/** Counts messages with exact state until there are `until` of them. */
async function count(
  topic: Topic,
  states: Record<string, Cache<number>>,
  until: number,
): Promise<void> {
  const app = new App();
  for (const [name, state] of Object.entries(states)) {
    app.handle(topic, async () => {
      await state.update("total", (total = 0) => total + 1);
      const totals = await Promise.all(Object.values(states).map((state) => state.get("total", 0)));
      if (totals.every((total) => total === until)) app.close();
    }, { name, state });
  }
  await app.stream();
}

const OPTIONS = { groupId: "g", offset: "earliest" } as const;
const open = (broker: MemoryBroker, options: TopicOptions = {}) =>
  new Topic("in", { broker, ...OPTIONS, ...options });

Deno.test("a state that was lost while the commits of its group remain is an error", async () => {
  await using broker = await filled(6);
  for (const wayOn of ["seek", "offset"]) {
    await using folder = await temporaryFolder();
    const options = { groupId: wayOn };
    {
      await using state = await openState(`${folder.path}/first`);
      await using topic = open(broker, options);
      await count(topic, { count: state }, 6);
    }
    await using state = await openState(`${folder.path}/second`);
    {
      await using topic = open(broker, options);
      const error = await assertRejects(() => count(topic, { count: state }, 6), SourceError);
      assertEquals(
        error.message.includes(
          `Cannot begin topic "in" partition 0 at offset 3, which group "${wayOn}" has committed: the ` +
            'state of flow "count" has nothing from before it; say where it should begin by offset: ' +
            "{ 0: 0, 1: 0 }, or later ones; other flows with state get only what is new to them, while seek() would move them, too",
        ),
        true,
        error.message,
      );
    }
    await using topic = open(broker, {
      ...options,
      ...(wayOn === "offset" && { offset: { 0: 0, 1: 0 } }),
    });
    if (wayOn === "seek") await topic.seek("earliest");
    await count(topic, { count: state }, 6);
  }
});

Deno.test("a flow with state that is added to others begins where its offsets say", async () => {
  await using broker = await filled(6);
  await using folder = await temporaryFolder();
  await using old = await openState(`${folder.path}/old`);
  await using added = await openState(`${folder.path}/added`);
  {
    await using topic = open(broker);
    await count(topic, { old }, 6);
  }
  {
    await using topic = open(broker);
    const error = await assertRejects(() => count(topic, { old, added }, 6), SourceError);
    assertEquals(error.message.includes('the state of flow "added"'), true, error.message);
  }
  await using topic = open(broker, { offset: { 0: 0, 1: 0 } });
  await count(topic, { old, added }, 6);
  assertEquals([await old.get("total"), await added.get("total")], [6, 6]);
});

Deno.test("a group that began at the end, and crashed before its first commit, goes on from there", async () => {
  await using broker = await filled(6);
  await using folder = await temporaryFolder();
  {
    await using state = await openState(folder.path);
    await using topic = open(broker, { offset: "latest" });
    const app = new App({ commit: { interval: 1e6 } });
    app.handle(topic, () => {
      throw new Error("at once");
    }, { name: "count", state });
    const streaming = app.stream();
    while ((await broker.committed("g", "in")).size === 0) {
      await new Promise((resolve) => setTimeout(resolve));
    }
    await send(broker, 6, 7);
    await assertRejects(() => streaming, Error, "at once");
  }
  await using state = await openState(folder.path);
  await using topic = open(broker, { offset: "latest" });
  await count(topic, { count: state }, 1); // the message 6
});
