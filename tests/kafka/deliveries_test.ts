import { assertEquals } from "@std/assert";
import { createErrorFromCode } from "kafkajs/src/protocol/error.js";
import fc from "fast-check";
import type { Entry } from "../../src/kafka/kafkajs/batch_queue.ts";
import { type Answered, Deliveries } from "../../src/kafka/kafkajs/deliveries.ts";
import type { Batch } from "../../src/kafka/kafkajs/partition_queue.ts";
import type { Outcome } from "../../src/kafka/kafkajs/produce_request.ts";
import { Sequences } from "../../src/kafka/kafkajs/sequences.ts";
import { ManualClock } from "../../src/testing/mod.ts";

/** Codes of errors. */
const NOT_LEADER = 6, TOO_LARGE = 10, UNAUTHORIZED = 29, OUT_OF_ORDER = 45;

/** What becomes of a request: whether it reaches the log, and what is answered, undefined for nothing. */
interface Fate {
  readonly arrives: boolean;
  readonly code?: number;
  readonly afterMs: number;
}

/** The log of a partition, with what a broker of Kafka knows of the last five batches of a producer. */
class Log {
  readonly values: number[] = [];
  readonly #producers = new Map<
    bigint,
    { next: number; last: [sequence: number, end: number][] }
  >();

  /** Appends a batch unless it is there; returns its offset, or why it is refused. */
  append({ producer, entries }: Batch): Outcome {
    const { producerId, baseSequence } = producer!;
    const known = this.#producers.get(producerId);
    const end = baseSequence + entries.length;
    if (known?.last.some(([sequence, its]) => sequence === baseSequence && its === end)) {
      return { offset: -1 };
    }
    // Of a producer that it does not know it takes any number.
    if (known && known.next !== baseSequence) return { error: createErrorFromCode(OUT_OF_ORDER) };
    const offset = this.values.length;
    this.values.push(...entries.map(({ bytes }) => bytes));
    const last = [...known?.last ?? [], [baseSequence, end] as [number, number]].slice(-5);
    this.#producers.set(producerId, { next: end, last });
    return { offset };
  }
}

/** Delivers `count` numbers to each of two partitions, in batches of `size`, and returns what became of them. */
async function run(fates: readonly Fate[], count: number, size: number, deliveryTimeoutMs: number) {
  const clock = new ManualClock();
  const logs = [new Log(), new Log()];
  const sequences = new Sequences();
  const confirmed: number[][] = [[], []], refused: number[][] = [[], []];
  let ids = 0n, requests = 0, inFlight = 0, deepest = 0;

  async function send(
    batches: ReadonlyMap<number, Batch>,
    answered: Answered,
    deadline: number,
  ): Promise<void> {
    const { arrives, code, afterMs } = fates[requests++] ?? { arrives: true, code: 0, afterMs: 1 };
    deepest = Math.max(deepest, ++inFlight);
    if (sequences.needsId(batches.keys())) sequences.give({ producerId: ids++, producerEpoch: 0 });
    const outcomes = new Map<number, Outcome>();
    for (const [partition, batch] of batches) {
      batch.producer ??= sequences.take(partition, batch.entries.length)!;
      const stored = arrives ? logs[partition]!.append(batch) : undefined;
      const error = code ? createErrorFromCode(code) : undefined;
      if (error) outcomes.set(partition, { error });
      else if (stored && code === 0) outcomes.set(partition, stored);
    }
    await new Promise<void>((resolve) => {
      clock.timer(resolve, Math.min(afterMs, deadline - clock.monotonic()));
    });
    inFlight--;
    answered(outcomes);
  }

  const deliveries = new Deliveries({
    clock,
    deliveryTimeoutMs,
    signal: new AbortController().signal,
    sequences,
    send,
    refuse: ({ partition, bytes }) => void refused[partition]!.push(bytes),
    tell: () => {},
  });
  const record = { key: null, value: null, headers: [] };
  let open = 0;
  for (let first = 0; first < count; first += size) {
    const entries = [0, 1].flatMap((partition) =>
      Array.from({ length: Math.min(size, count - first) }, (_, i): Entry => {
        const bytes = first + i; // the number stands there
        return { record, partition, bytes, confirm: () => confirmed[partition]!.push(bytes) };
      })
    );
    open++;
    deliveries.deliver(entries).then(() => open--);
    for (let ms = 0; open >= 5 && ms < 1_000_000; ms++) await clock.tick(1);
  }
  for (let ms = 0; open > 0 && ms < 1_000_000; ms += 10) await clock.tick(10);
  await clock.tick(10_000);
  assertEquals([open, clock.pending], [0, 0]);
  return { logs: logs.map(({ values }) => values), confirmed, refused, deepest };
}

const passing = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ arrives: true, code: 0 }) },
  fc.constantFrom<Omit<Fate, "afterMs">>(
    { arrives: true }, // the answer is lost
    { arrives: false }, // the request is
    { arrives: false, code: NOT_LEADER },
    { arrives: true, code: NOT_LEADER }, // another broker leads while it waits for the followers
  ),
);
const final = fc.constantFrom<Omit<Fate, "afterMs">>(
  { arrives: false, code: UNAUTHORIZED },
  { arrives: false, code: TOO_LARGE },
);
const afterMs = fc.integer({ min: 0, max: 30 });
const timed = (fate: fc.Arbitrary<Omit<Fate, "afterMs">>): fc.Arbitrary<Fate[]> =>
  fc.array(fc.tuple(fate, afterMs).map(([fate, afterMs]) => ({ ...fate, afterMs })), {
    maxLength: 60,
  });

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

Deno.test("Deliveries has everything stored once and in order, whatever passes on the way", async () => {
  let deepest = 0;
  const property = fc.asyncProperty(
    timed(passing),
    fc.integer({ min: 1, max: 60 }),
    fc.integer({ min: 1, max: 4 }),
    async (fates, count, size) => {
      const { logs, confirmed, ...more } = await run(fates, count, size, 1e9);
      deepest = Math.max(deepest, more.deepest);
      assertEquals(logs, [numbers(count), numbers(count)]);
      assertEquals(confirmed.map((it) => it.toSorted((a, b) => a - b)), logs);
    },
  );
  await fc.assert(property, { numRuns: 500 });
  assertEquals(deepest > 2, true);
});

Deno.test("Deliveries has nothing stored twice or before what was sent earlier, also when batches are given up", async () => {
  const property = fc.asyncProperty(
    timed(fc.oneof({ weight: 4, arbitrary: passing }, final)),
    fc.integer({ min: 1, max: 60 }),
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 150, max: 2_000 }),
    async (fates, count, size, timeoutMs) => {
      const { logs, confirmed, refused } = await run(fates, count, size, timeoutMs);
      for (const [partition, log] of logs.entries()) {
        // Ascending, so in order and each once.
        assertEquals(log.toSorted((a, b) => a - b), log);
        assertEquals(new Set(log).size, log.length);
        const settled = [...confirmed[partition]!, ...refused[partition]!];
        assertEquals(settled.toSorted((a, b) => a - b), numbers(count));
        const stored = new Set(log);
        assertEquals(confirmed[partition]!.filter((n) => !stored.has(n)), []);
      }
    },
  );
  await fc.assert(property, { numRuns: 500 });
});
