import { assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { App, type Cache, SourceError } from "../../mod.ts";
import type { Topic } from "../../src/kafka/mod.ts";
import { openState } from "../_support/numbers.ts";
import { temporaryFolder } from "../_support/temporary.ts";
import { type Context, kafka, memory, testOn } from "../_support/topic_fixture.ts";

/** A program with exact state in a store of its own: counts the values, and passes them on. */
class Program {
  readonly outputs: string[] = [];
  readonly running: Promise<void>;
  readonly #app = new App({ barrier: { intervalMs: 20 } });
  readonly #target: number;
  readonly #reached = Promise.withResolvers<void>();

  constructor(topic: Topic, readonly state: Cache<number>, target: number) {
    this.#target = target;
    this.#app.handle(topic, async ({ value }) => {
      await state.update(value, (count = 0) => count + 1);
      if (state.size === this.#target) this.#reached.resolve();
      return value;
    }, { name: "count", state, sink: (value) => void this.outputs.push(value) });
    this.running = this.#app.stream();
    this.running.catch(() => {}); // looked at later
  }

  /** Resolves when it has counted as many values as it is to; an error of the program rejects. */
  async reached(): Promise<void> {
    if (this.state.size < this.#target) await Promise.race([this.#reached.promise, this.running]);
  }

  async close(): Promise<void> {
    this.#app.close();
    await this.running;
  }
}

async function send(topic: Topic, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) await topic.send({ key: `${n}`, value: `${n}` });
}

async function contentOf(state: Cache<number>): Promise<Map<unknown, number>> {
  return new Map(await Array.fromAsync(state.entries()));
}

const once = (count: number) =>
  new Map(Array.from({ length: count }, (_, n) => [`${n}`, 1] as const));

/** A member joins a group in which another one has counted ten messages; ten more come meanwhile. */
async function joined({ make }: Context, partitions: number, folder: string) {
  const sender = make();
  await sender.ensure({ partitions });
  await send(sender, 0, 10);
  const first = new Program(make(), await openState(`${folder}/a`), 10);
  await first.reached();
  const sending = send(sender, 10, 20);
  const second = new Program(make(), await openState(`${folder}/b`), 1);
  const error = await assertRejects(() => second.running, SourceError);
  await sending;
  return { sender, first, second, error };
}

/** The first one starts again, alone: nothing is lost, and its state is exact. */
async function assertGoesOn({ make }: Context, first: Program, folder: string): Promise<void> {
  await first.state.close();
  await using state = await openState(`${folder}/a`);
  const again = new Program(make(), state, 20);
  await again.reached();
  await again.close();
  assertEquals(await contentOf(state), once(20));
  assertEquals(new Set([...first.outputs, ...again.outputs]), new Set(once(20).keys()));
  // What kafkajs was about to try again when its member was closed sleeps for up to a second.
  await delay(1_000);
}

for (const fixture of [memory, kafka]) {
  const test = testOn(fixture);

  test("stops both of two members with exact state, and the first goes on alone", async (context) => {
    await using folder = await temporaryFolder();
    const { first, second, error } = await joined(context, 2, folder.path);
    const theirs = await assertRejects(() => first.running, SourceError);
    for (const { message } of [error, theirs]) {
      assertEquals(message.includes("reads 1 of its 2 partitions"), true, message);
    }
    assertEquals(await contentOf(second.state), new Map());
    assertEquals(second.outputs, []);
    await second.state.close();
    await assertGoesOn(context, first, folder.path);
  });

  test("lets no second member with exact state read its only partition", async (context) => {
    await using folder = await temporaryFolder();
    const { first, second, error } = await joined(context, 1, folder.path);
    // It got nothing, or the partition of which the first one has the state.
    assertEquals(/reads 0 of its 1 partitions|has committed/.test(error.message), true);
    assertEquals(second.outputs, []);
    await second.state.close();
    await first.close().catch((error) => {
      if (!String(error).includes("reads 0 of its 1 partitions")) throw error;
    });
    await assertGoesOn(context, first, folder.path);
  });
}
