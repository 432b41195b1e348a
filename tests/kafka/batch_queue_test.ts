import { assertEquals, assertRejects } from "@std/assert";
import {
  BatchQueue,
  type BatchQueueOptions,
  type Entry,
} from "../../src/kafka/kafkajs/batch_queue.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";

/** A queue whose batches are in flight until they are confirmed, by hand or after a latency. */
class World {
  readonly clock = new ManualClock();
  /** The batches in the order of their delivery, each a list of numbers. */
  readonly batches: number[][] = [];
  readonly queue: BatchQueue;
  #next = 0;
  readonly #confirm: (() => void)[] = [];

  constructor({ latencyMs, ...options }: Partial<BatchQueueOptions> & { latencyMs?: number } = {}) {
    this.queue = new BatchQueue({
      clock: this.clock,
      lingerMs: 5,
      maxInFlight: 1,
      batchSize: 1_000,
      maxBytes: () => 1_000_000,
      bufferMemory: 1_000_000,
      deliver: (batch) => {
        this.batches.push(batch.map(({ partition }) => partition));
        return new Promise((resolve) => {
          if (latencyMs === undefined) this.#confirm.push(resolve);
          else this.clock.timer(resolve, latencyMs);
        });
      },
      ...options,
    });
  }

  /** Adds the next number. */
  add(): void | Promise<void> {
    return this.queue.add(this.entry());
  }

  /** Makes the entry of the next number. */
  entry(): Entry {
    const record = { key: null, value: null, headers: [] };
    return { record, partition: this.#next++, bytes: 100 };
  }

  /** Confirms a batch, by default the last one. */
  async confirm(batch = this.#confirm.length - 1): Promise<void> {
    this.#confirm[batch]?.();
    await settle();
  }
}

/** Returns what tells whether a promise has settled. */
function watch(promise: Promise<unknown>): { readonly settled: boolean } {
  const watched = { settled: false };
  const settled = () => void (watched.settled = true);
  promise.then(settled, settled);
  return watched;
}

Deno.test("BatchQueue.flush() resolves when what was added before it is confirmed, whatever is added after", async () => {
  const world = new World();
  world.add();
  const flushed = watch(world.queue.flush());
  world.add(); // while the first is in flight
  await settle();
  assertEquals([world.batches, flushed.settled], [[[0]], false]);
  await world.confirm();
  assertEquals([world.batches, flushed.settled], [[[0], [1]], true]);
});

Deno.test("BatchQueue.flush() resolves under steady load: a record each 15 ms, brokers that take 20", async () => {
  const world = new World({ latencyMs: 20 });
  let flushes = 0;
  for (let ms = 0; ms < 3_000; ms += 15) {
    world.add();
    if (ms % 300 === 0) world.queue.flush().then(() => flushes++);
    await world.clock.tick(15);
  }
  assertEquals(flushes, 10);
});

Deno.test("BatchQueue.flush() resolves while as much is added as there is room for", async () => {
  const world = new World({ batchSize: 10 });
  let stopped = false;
  const writing = (async () => {
    while (!stopped) await world.add();
  })();
  await settle();
  const flushed = watch(world.queue.flush());
  const before = world.batches.flat().length;
  for (let batch = 0; batch < 5 && !flushed.settled; batch++) await world.confirm();
  assertEquals(flushed.settled, true, `after ${world.batches.flat().length - before} records`);
  stopped = true;
  await world.confirm();
  await writing;
});

Deno.test("BatchQueue.flush() waits for all batches of what was added before it", async () => {
  const world = new World({ batchSize: 2 });
  for (let i = 0; i < 5; i++) world.add();
  const flushed = watch(world.queue.flush());
  await world.confirm();
  world.add();
  await world.confirm();
  assertEquals([world.batches, flushed.settled], [[[0, 1], [2, 3], [4, 5]], false]);
  await world.confirm();
  assertEquals(flushed.settled, true);
});

Deno.test("BatchQueue.flush() rejects when a batch between fails, also one of another flush", async () => {
  const failures: Entry[] = [];
  const world = new World({
    batchSize: 1,
    deliver: (batch) => {
      if (batch[0]!.partition === 1) failures.push(...batch);
      for (const entry of failures) world.queue.fail(entry, new Error("refused"));
      return settle();
    },
  });
  world.add();
  world.add();
  const first = world.queue.flush();
  world.add();
  const second = world.queue.flush();
  await assertRejects(() => first, Error, "refused");
  await assertRejects(() => second, Error, "refused");
  await assertRejects(() => world.queue.flush(), Error, "refused");
});

Deno.test("BatchQueue.close() delivers what is sent for itself after an added record was refused", async () => {
  const world = new World({
    deliver: (batch) => {
      for (const entry of batch) {
        if (entry.confirm) entry.confirm({ partition: entry.partition, offset: 0 });
        else world.queue.fail(entry, new Error("refused"));
      }
      return settle();
    },
  });
  world.add();
  const flushed = assertRejects(() => world.queue.flush(), Error, "refused");
  const sent = world.queue.confirmed(world.entry());
  await world.queue.close();
  assertEquals((await sent).partition, 1);
  await flushed;
});

Deno.test("BatchQueue delivers what was added during a delivery when it has lingered, or right after", async () => {
  const world = new World();
  world.add();
  await world.clock.tick(5);
  assertEquals(world.batches, [[0]]);
  world.add();
  await world.clock.tick(20); // its time is over, and the first is still in flight
  assertEquals(world.batches, [[0]]);
  await world.confirm();
  assertEquals(world.batches, [[0], [1]]);
  world.add();
  await world.clock.tick(3);
  await world.confirm();
  assertEquals(world.batches, [[0], [1]]); // it lingers on
  await world.clock.tick(2);
  assertEquals(world.batches, [[0], [1], [2]]);
  await world.confirm();
  assertEquals(world.clock.pending, 0);
});

Deno.test("BatchQueue has several batches in flight: full ones, and what has lingered or is flushed", async () => {
  const world = new World({ batchSize: 2, maxInFlight: 3 });
  for (let i = 0; i < 3; i++) world.add();
  assertEquals(world.batches, [[0, 1]]);
  await world.clock.tick(5);
  assertEquals(world.batches, [[0, 1], [2]]);
  for (let i = 0; i < 3; i++) world.add();
  assertEquals(world.batches, [[0, 1], [2], [3, 4]]);
  await world.clock.tick(5);
  const flushed = watch(world.queue.flush());
  assertEquals(world.batches.length, 3); // as many as may be
  await world.confirm(2);
  assertEquals([world.batches.slice(3), flushed.settled], [[[5]], false]);
  for (const batch of [3, 1]) await world.confirm(batch);
  assertEquals(flushed.settled, false); // the first is not confirmed
  await world.confirm(0);
  assertEquals([flushed.settled, world.clock.pending], [true, 0]);
});

Deno.test("BatchQueue.confirmed() has what is sent while a batch is in flight linger, to share a batch", async () => {
  const world = new World({ maxInFlight: 3 });
  void world.queue.confirmed(world.entry());
  await settle();
  for (let i = 0; i < 3; i++) {
    void world.queue.confirmed(world.entry());
    await settle();
  }
  assertEquals(world.batches, [[0]]);
  await world.clock.tick(5);
  assertEquals(world.batches, [[0], [1, 2, 3]]);
});

Deno.test("BatchQueue keeps no record longer than lingerMs and two deliveries", async () => {
  const waited: number[] = [];
  const added = new Map<number, number>();
  const world = new World({
    deliver: (batch) =>
      new Promise((resolve) =>
        world.clock.timer(() => {
          for (const { partition } of batch) {
            waited.push(world.clock.monotonic() - added.get(partition)!);
          }
          resolve();
        }, 8)
      ),
  });
  for (let n = 0; n < 500; n++) {
    added.set(n, world.clock.monotonic());
    world.add();
    await world.clock.tick(1);
  }
  assertEquals(
    Math.max(...waited) <= 5 + 2 * 8,
    true,
    `the longest took ${Math.max(...waited)} ms`,
  );
  assertEquals(waited.length > 450, true, `${waited.length} of 500 were confirmed`);
});
