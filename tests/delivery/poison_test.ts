import { assertEquals, assertRejects } from "@std/assert";
import {
  App,
  type Cache,
  deadLetter,
  HandlerError,
  type OnError,
  type StatusEvent,
} from "../../mod.ts";
import { redrive, Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { openState } from "../_support/numbers.ts";
import { temporaryFolder } from "../_support/temporary.ts";

const OPTIONS = { groupId: "g", offset: "earliest" } as const;
const MESSAGES = 5;
const POISON = "2";

/** A broker with the messages 0 to 4. */
async function filled(): Promise<MemoryBroker> {
  const broker = new MemoryBroker();
  await using topic = new Topic("in", { broker });
  for (let n = 0; n < MESSAGES; n++) await topic.send({ key: `k${n}`, value: `${n}` });
  return broker;
}

/** Counts values, and fails at the poison after it has counted that. */
async function count(topic: Topic, state: Cache<number>, onError: OnError, poison = POISON) {
  const events: StatusEvent[] = [];
  const app = new App({ onStatus: (event) => events.push(event) });
  app.handle(topic, async ({ value }) => {
    if (value === `${MESSAGES - 1}`) queueMicrotask(() => app.close());
    await state.update(value, (count = 0) => count + 1);
    if (value === poison) throw new RangeError("poison");
  }, { name: "count", state, onError });
  await app.stream();
  return events;
}

const contentOf = async (state: Cache<number>) =>
  Object.fromEntries(await Array.fromAsync(state.entries()));

for (
  const [name, policyOf] of Object.entries<(dead: Topic) => OnError>({
    skip: () => "skip",
    deadLetter: (dead) => deadLetter(dead),
    retry: (dead) => ({ retry: { attempts: 2, minDelay: 0 }, otherwise: deadLetter(dead) }),
    function: (dead) => () => deadLetter(dead),
  })
) {
  Deno.test(`a poison message with exact state and the policy ${name} leaves nothing in the state`, async () => {
    await using broker = await filled();
    await using folder = await temporaryFolder();
    await using dead = new Topic("dead", { broker, ...OPTIONS });
    await dead.ensure({ partitions: 1 });
    {
      await using state = await openState(folder.path);
      await using topic = new Topic("in", { broker, ...OPTIONS });
      const events = await count(topic, state, policyOf(dead));
      const told = events.map(({ type }) => type);
      const last = name === "skip" ? "skipped" : "dead_letter";
      assertEquals(told.filter((type) => type === last).length, 1);
      assertEquals(told.filter((type) => type === "retry").length, name === "retry" ? 2 : 0);
    }
    await using state = await openState(folder.path);
    assertEquals(await contentOf(state), { 0: 1, 1: 1, 3: 1, 4: 1 });
    assertEquals((await dead.offsets()).get(0)!.high, name === "skip" ? 0 : 1);
    assertEquals(await broker.committed("g", "in"), new Map([[0, MESSAGES]]));
  });
}

Deno.test("a poison message with exact state and the policy stop is met again, until it is passed over", async () => {
  await using broker = await filled();
  await using folder = await temporaryFolder();
  for (let life = 0; life < 2; life++) {
    await using state = await openState(folder.path);
    await using topic = new Topic("in", { broker, ...OPTIONS });
    await assertRejects(() => count(topic, state, "stop"), HandlerError, "offset 2: poison");
  }
  await using state = await openState(folder.path);
  await using topic = new Topic("in", { broker, ...OPTIONS });
  await count(topic, state, "stop", "no poison any more");
  assertEquals(await contentOf(state), { 0: 1, 1: 1, 2: 1, 3: 1, 4: 1 });
});

Deno.test("a dead letter that is sent back is counted once", async () => {
  await using broker = await filled();
  await using folder = await temporaryFolder();
  await using state = await openState(folder.path);
  await using dead = new Topic("dead", { broker, ...OPTIONS });
  await using topic = new Topic("in", { broker, ...OPTIONS });
  const app = new App();
  let fixed = false;
  app.handle(topic, async ({ value, offset }) => {
    if (offset === MESSAGES) queueMicrotask(() => app.close());
    await state.update(value, (count = 0) => count + 1);
    if (value !== POISON || fixed) return;
    fixed = true;
    throw new RangeError("poison");
  }, { name: "count", state, onError: deadLetter(dead) });
  app.handle(dead, (letter) => letter, { sink: redrive(topic) });
  await app.stream();
  assertEquals(await contentOf(state), { 0: 1, 1: 1, 2: 1, 3: 1, 4: 1 });
});

Deno.test("a call that takes longer than handlerTimeout leaves nothing in the state, nor is it repeated", async () => {
  const clock = new ManualClock();
  await using broker = new MemoryBroker({ clock });
  await using folder = await temporaryFolder();
  await using state = await openState(folder.path);
  await using topic = new Topic("in", { broker, ...OPTIONS });
  for (let n = 0; n < 3; n++) await topic.send({ value: `${n}` });
  const [stuck, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const app = new App({ clock });
  app.handle(topic, async ({ value }) => {
    await state.update(value, (count = 0) => count + 1);
    if (value === "2") queueMicrotask(() => app.close());
    if (value !== "1") return;
    stuck.resolve();
    await go.promise;
  }, { name: "count", state, handlerTimeout: 1_000, onError: "skip" });
  const streaming = app.stream();
  await stuck.promise;
  await clock.tick(2_000);
  go.resolve();
  for (let n = 0; n < 30; n++) await settle();
  await clock.tick(1_000);
  await streaming;
  assertEquals(await contentOf(state), { 0: 1, 2: 1 });
});
