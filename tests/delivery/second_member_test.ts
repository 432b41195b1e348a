import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { App, type Cache, SourceError } from "../../mod.ts";
import type { BrokerStatus, Topic } from "../../src/kafka/mod.ts";
import { openState } from "../_support/numbers.ts";
import { temporaryFolder } from "../_support/temporary.ts";
import { until } from "../_support/processes.ts";
import { kafka, memory, testOn } from "../_support/topic_fixture.ts";

/** A program with exact state in a store of its own: counts the values, and passes them on. */
class Program {
  readonly outputs: string[] = [];
  readonly running: Promise<void>;
  readonly #app = new App({ commit: { interval: 20 } });
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

for (const fixture of [memory, kafka]) {
  for (const partitions of [1, 2]) {
    testOn(fixture)(
      `lets no second member with exact state read its ${partitions} partitions, and the first goes on`,
      async ({ make }) => {
        await using folder = await temporaryFolder();
        const sender = make();
        await sender.ensure({ partitions });
        await send(sender, 0, 10);
        const options = { sessionTimeout: 1_500, heartbeatInterval: 200 };
        await using state = await openState(`${folder.path}/a`);
        const first = new Program(make(options), state, 20);
        await until(() => state.size === 10);
        const sending = send(sender, 10, 20);
        await using none = await openState(`${folder.path}/b`);
        const waited: BrokerStatus[] = [];
        const onStatus = (status: BrokerStatus) => {
          if (status.type === "joining" && / to leave;/.test(status.waitsFor)) waited.push(status);
        };
        const second = new Program(make({ ...options, onStatus }), none, 1);
        const { message } = await assertRejects(() => second.running, SourceError);
        assertStringIncludes(message, "it is read by another member of group");
        assertStringIncludes(message, "let nobody else read it in that group");
        assertEquals([waited.length, second.outputs, none.size], [1, [], 0]);
        await sending;
        await first.reached();
        await first.close();
        assertEquals(await contentOf(state), once(20));
        assertEquals(new Set(first.outputs), new Set(once(20).keys()));
      },
    );
  }
}
