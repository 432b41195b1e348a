/** What a Topic fails with when its reader asks for nothing any more: it is told, not lost. */
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { App, SourceError } from "../../mod.ts";
import type { GroupHandlers } from "../../src/kafka/client/broker.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { Topic } from "../../src/kafka/mod.ts";
import { settle } from "../../src/testing/mod.ts";
import { alteredBroker } from "../_support/altered_broker.ts";
import { FeedDriver } from "../_support/feed_driver.ts";

async function settled(): Promise<void> {
  for (let n = 0; n < 30; n++) await settle();
}

/** Two topics, and a function that fails their members. */
async function setUp() {
  const memory = new MemoryBroker();
  const members: GroupHandlers[] = [];
  const broker = alteredBroker(memory, { joined: (_, handlers) => void members.push(handlers) });
  const [first, second] = ["first", "second"].map((name) =>
    new Topic(name, { broker, groupId: "g", offset: "earliest" })
  );
  for (const topic of ["first", "second"]) await memory.ensure(topic, {});
  const fail = (index: number, message: string) =>
    members[index]!.status({ type: "failed", error: new Error(message) });
  return { memory, first: first!, second: second!, fail };
}

Deno.test("A Topic that fails in the moment in which another does is among the other errors", async () => {
  const { memory, first, second, fail } = await setUp();
  const app = new App();
  for (const topic of [first, second]) app.handle(topic, () => {});
  const streaming = app.stream();
  streaming.catch(() => {});
  await settled();
  fail(0, "one");
  fail(1, "two");
  const error = await assertRejects(() => streaming, SourceError, "one");
  assertEquals(error.others.map((other) => ((other as SourceError).cause as Error).message), [
    "two",
  ]);
  await memory.close();
});

Deno.test("A Topic that fails while its last message is handled ends the run with that", async () => {
  const { memory, first, fail } = await setUp();
  const go = Promise.withResolvers<void>();
  const stop = new AbortController();
  const app = new App();
  app.handle(first, () => go.promise);
  await first.send({ value: "a" });
  const streaming = app.stream({ signal: stop.signal });
  streaming.catch(() => {});
  await settled();
  stop.abort();
  fail(0, "too late");
  go.resolve();
  const error = await assertRejects(() => streaming, SourceError, "too late");
  assertEquals(error.others, []);
  await memory.close();
});

Deno.test("A Topic tells what it fails with after it was cancelled", async () => {
  const { memory, first, fail } = await setUp();
  const driver = new FeedDriver(first);
  const late: string[] = [];
  driver.feed.onLate = (error) => late.push((error as Error).message);
  await settled();
  const crashed = driver.crash();
  fail(0, "late");
  await crashed;
  assertEquals(late, ["late"]);
  await memory.close();
});

Deno.test("A loop over a Topic that has failed when it breaks ends with that", async () => {
  const { memory, first, fail } = await setUp();
  await first.send({ value: "a" });
  const error = await assertRejects(async () => {
    for await (const _ of first) {
      fail(0, "unseen");
      break;
    }
  });
  assertStrictEquals((error as Error).message, "unseen");
  await memory.close();
});
