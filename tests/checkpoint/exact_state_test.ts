import { assertEquals, assertRejects } from "@std/assert";
import { App, Cache, Checkpoint, type Correction, Dependency, MemoryCache } from "../../mod.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { eventTopic, until } from "../_support/events.ts";
import { temporaryFolder } from "../_support/temporary.ts";

/** How one program of a test counts its questions, in exact state. */
interface CountingOptions {
  /** Whether replays are told from new messages, or counted like them. */
  readonly tells?: boolean;
  readonly replays?: "skip";
  /** Called in the middle of every question. */
  readonly during?: (offset: number, correction: Correction | undefined) => unknown;
}

/** A program that joins questions with the weather, and counts them in the store of its checkpoint. */
class Counting {
  readonly state: Cache<number>;
  readonly seen: string[] = [];
  stored = 0;
  readonly #abort = new AbortController();
  readonly question;
  readonly #topics;
  readonly #streaming: Promise<void>;

  constructor(broker: MemoryBroker, state: Cache<number>, options: CountingOptions = {}) {
    const { tells = true, replays, during } = options;
    this.state = state;
    const [weather, question] = this.#topics = ["weather", "question"].map((name) =>
      eventTopic(broker, name)
    ) as [ReturnType<typeof eventTopic>, ReturnType<typeof eventTopic>];
    this.question = question;
    const checkpoint = new Checkpoint("question", {
      dependent: question,
      dependencies: [new Dependency("weather", weather)],
      correct: true,
      cache: state,
    });
    const app = new App({ commit: { messages: 1 } });
    app.handle(weather, async ({ value }) => {
      await checkpoint.heartbeat(value.time);
      this.stored++;
    }, { name: "weather" });
    app.handle(question, async ({ offset, value }, { correction }) => {
      await checkpoint.checkPulse(value.time);
      await during?.(offset, correction);
      if (correction === undefined || !tells) await state.update("total", (n = 0) => n + 1);
      this.seen.push(`${offset}${correction === undefined ? "" : " again"}`);
    }, { name: "question", state, ...(replays && { replays }) });
    this.#streaming = app.stream({ signal: this.#abort.signal, drainTimeout: 0 });
    this.#streaming.catch(() => {});
  }

  /** Ends it as a crash does: nothing more becomes durable. */
  async crash(): Promise<void> {
    this.#abort.abort();
    await this.#streaming.catch(() => {});
    for (const topic of this.#topics) await topic.close();
    await this.state.close();
  }
}

async function openBroker(): Promise<MemoryBroker> {
  const broker = new MemoryBroker();
  for (const name of ["weather", "question"]) await broker.ensure(name, {});
  return broker;
}

async function send(broker: MemoryBroker, name: string, ...times: number[]): Promise<void> {
  await using topic = eventTopic(broker, name);
  for (const time of times) await topic.send({ value: { time } });
}

const open = (path: string) => Cache.open<number>(`${path}/state`, { maxBytes: Infinity });

async function committed(broker: MemoryBroker): Promise<number | undefined> {
  return (await broker.committed("question", "question")).get(0);
}

/** Asks three questions, and makes the last two wrong. */
async function disturb(broker: MemoryBroker, program: Counting): Promise<void> {
  await send(broker, "weather", 1);
  await until(() => program.stored === 1);
  await send(broker, "question", 3, 5, 6);
  await until(() => program.seen.length === 3);
  await send(broker, "weather", 4, 9);
}

Deno.test("Checkpoint in the store of exact state goes to disk with every cut, and replays are told from new messages", async () => {
  await using folder = await temporaryFolder();
  await using broker = await openBroker();
  const program = new Counting(broker, await open(folder.path));
  await disturb(broker, program);
  await until(() => program.seen.length === 5);
  assertEquals(program.seen, ["0", "1", "2", "1 again", "2 again"]);
  assertEquals(await program.state.get("total"), 3);
  await until(async () => await committed(broker) === 3);
  await program.crash();
});

Deno.test("Checkpoint's replays count again in exact state where nothing tells them from new messages", async () => {
  await using folder = await temporaryFolder();
  await using broker = await openBroker();
  const program = new Counting(broker, await open(folder.path), { tells: false });
  await disturb(broker, program);
  await until(() => program.seen.length === 5);
  assertEquals(await program.state.get("total"), 5);
  await program.crash();
});

Deno.test('Checkpoint\'s replays do not reach a flow with exact state and replays: "skip"', async () => {
  await using folder = await temporaryFolder();
  await using broker = await openBroker();
  const program = new Counting(broker, await open(folder.path), { tells: false, replays: "skip" });
  await disturb(broker, program);
  await send(broker, "question", 8);
  await until(() => program.seen.length === 4);
  assertEquals(program.seen, ["0", "1", "2", "3"]);
  assertEquals(await program.state.get("total"), 4);
  await program.crash();
});

Deno.test("Checkpoint goes on with a correction after a restart, and exact state counts nothing twice", async () => {
  await using folder = await temporaryFolder();
  await using broker = await openBroker();
  const first: Counting = new Counting(broker, await open(folder.path), {
    during: (offset, correction) =>
      offset === 1 && correction && gateOf(first.question).pause("the test"),
  });
  await disturb(broker, first);
  await until(async () => await committed(broker) === 2); // in the middle, though 3 were done
  await first.crash();
  const second = new Counting(broker, await open(folder.path));
  await send(broker, "question", 8);
  await until(() => second.seen.at(-1) === "3");
  assertEquals(second.seen, ["2 again", "3"]);
  assertEquals(await second.state.get("total"), 4);
  await second.crash();
});

Deno.test("Checkpoint goes on with a correction after a rebalance, and exact state counts nothing twice", async () => {
  await using folder = await temporaryFolder();
  await using broker = await openBroker();
  const slow = Promise.withResolvers<void>();
  const program = new Counting(broker, await open(folder.path), {
    during: (offset, correction) => offset === 1 && correction && slow.promise,
  });
  await disturb(broker, program);
  await until(() => program.stored === 3);
  await broker.grow("question", 2); // takes the partitions away and gives them back
  slow.resolve();
  await send(broker, "question", 8);
  await until(() => program.seen.at(-1) === "3" || program.seen.at(-1) === "0");
  assertEquals(program.seen.slice(0, 3), ["0", "1", "2"]);
  assertEquals(program.seen.filter((each) => each === "2 again").length, 1);
  assertEquals(await program.state.get("total"), 4);
  await program.crash();
});

Deno.test("Checkpoint with correct refuses exact state in another store: a crash would leave them of two instants", async () => {
  await using folder = await temporaryFolder();
  await using broker = await openBroker();
  await using state = await open(folder.path);
  await using question = eventTopic(broker, "question");
  await using other = new MemoryCache();
  const dependency = new Dependency("weather", [{ time: 1 }]);
  new Checkpoint("question", {
    dependent: question,
    dependencies: [dependency],
    correct: true,
    cache: other,
  });
  const app = new App();
  app.handle(question, () => {}, { name: "count", state });
  await assertRejects(
    () => app.stream(),
    TypeError,
    'Cannot correct results of checkpoint "question" beside the exact state of flow "count"',
  );
});

Deno.test("Checkpoint with rows of partitions refuses exact state: nobody else may read them", async () => {
  await using broker = await openBroker();
  await using question = eventTopic(broker, "question");
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  await using partitions = new MemoryCache();
  const dependency = new Dependency("weather", [{ time: 1 }]);
  new Checkpoint("question", { dependent: question, dependencies: [dependency], partitions });
  const app = new App();
  app.handle(question, () => {}, { name: "count", state });
  await assertRejects(() => app.stream(), TypeError, 'flow "count" has exact state');
});

Deno.test("Checkpoint's downtimeCallback may write to exact state whenever a silence leads to it", async () => {
  await using broker = await openBroker();
  await using weather = eventTopic(broker, "weather");
  await using question = eventTopic(broker, "question");
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  const checkpoint = new Checkpoint("question", {
    dependent: question,
    dependencies: [new Dependency("weather", weather, { downtimeAfter: 10 })],
    cache: state,
    downtimeCallback: () => state.update("outages", (n = 0) => n + 1),
  });
  const stop = new AbortController();
  const app = new App();
  app.handle(weather, ({ value }) => checkpoint.heartbeat(value.time), { name: "weather", state });
  app.handle(question, () => {}, { name: "question", state });
  const streaming = app.stream({ signal: stop.signal });
  await send(broker, "weather", 1);
  await Promise.race([until(async () => await state.get("outages") === 1), streaming]);
  // The silence that follows begins in a message.
  await send(broker, "weather", 2);
  await Promise.race([until(async () => await state.get("outages") === 2), streaming]);
  stop.abort();
  await streaming;
});
