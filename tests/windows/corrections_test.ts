/** Windows of messages that are handled again, since what they were enriched with has changed. */
import { assert, assertEquals } from "@std/assert";
import { App, filter, map, MemoryCache } from "../../mod.ts";
import { setCorrection } from "../../src/flow/stage/correction.ts";
import {
  type END,
  type Feed,
  type FeedSource,
  openFeed,
  WAIT,
} from "../../src/flow/source/feed.ts";
import { type Gate, gateOf } from "../../src/flow/source/gate.ts";
import type { Host, PartState } from "../../src/flow/source/host.ts";
import { Receipt } from "../../src/flow/source/receipt.ts";
import type { Resumption } from "../../src/flow/state/state.ts";
import { ManualClock, Random } from "../../src/testing/mod.ts";
import { count, sum, tumbling } from "../../src/windows/mod.ts";
import { Waker } from "../_support/waker.ts";

const SIZE = 20;
const OUT_OF_ORDER = 4;

interface Message {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly time: number;
}

/** A log that a checkpoint moves back, as far as windows see that. */
class Corrected implements FeedSource<Message>, Feed<Message> {
  readonly name = "corrected";
  readonly positioned = true;
  receipt: Receipt | undefined;
  readonly logs: Message[][] = [[], []];
  /** Everything before was handled once. */
  readonly applied = [0, 0];
  /** The first message whose result may change. */
  readonly provisional: (number | undefined)[] = [undefined, undefined];
  #next: number[] = [];
  #resumption: Resumption | undefined;
  readonly #reader = new Waker();

  constructor() {
    const gate = gateOf(this);
    gate.corrector = "weather";
    gate.provisional = (partition) => this.provisional[partition];
  }

  [openFeed](_host: Host, _gate: Gate): Feed<Message> {
    return this;
  }

  resumeBy(resumption: Resumption): void {
    this.#resumption = resumption;
  }

  ready(): Promise<void> {
    for (const partition of [0, 1]) {
      const start = this.#resumption!.start(partition, 0) as number;
      // As a checkpoint does, that has kept where it is.
      const begin = Math.min(start, this.provisional[partition] ?? start);
      this.#resumption!.began(partition, begin, begin < start);
      this.#next[partition] = begin;
    }
    return Promise.resolve();
  }

  seek(positions: unknown): void {
    for (const [partition, offset] of Object.entries(positions as Record<string, number>)) {
      this.#resumption!.began(Number(partition), offset, true);
      this.#next[Number(partition)] = offset;
      this.provisional[Number(partition)] = undefined; // before any of them is handled again
    }
    this.wakeUp();
  }

  parts(): PartState[] {
    return [0, 1].map((partition) => ({ partition, caughtUp: true }));
  }

  silence(): number {
    return 0;
  }

  poll(): Message | typeof WAIT | typeof END {
    const partition = [0, 1].find((p) => this.#next[p]! < this.logs[p]!.length);
    if (partition === undefined) return WAIT;
    const offset = this.#next[partition]!++;
    const message = { ...this.logs[partition]![offset]! };
    if (offset < this.applied[partition]!) {
      setCorrection(message, { epoch: 1, until: this.applied[partition]!, dependencies: [] });
    }
    this.receipt = new Receipt(
      () => {
        this.applied[partition] = Math.max(this.applied[partition]!, offset + 1);
      },
      offset + 1,
      partition,
    );
    return message;
  }

  wait(wake: () => void): void {
    this.#reader.wait(wake);
  }

  wakeUp(): void {
    this.#reader.wake();
  }

  snapshot(): undefined {}
  cancel(): void {
    this.wakeUp();
  }
}

async function simulate(seed: number): Promise<void> {
  const random = new Random(seed);
  const accept = random.chance(0.5) ? 0 : 15;
  const emit = random.pick(["final", "changes", { every: 500 }] as const);
  const interval = random.pick([100, 5_000]);
  const source = new Corrected();
  const state = new MemoryCache({ maxBytes: Infinity });
  const clock = new ManualClock(1_000_000);
  /** What messages are enriched with; while `dead`, results may change. */
  let version = 0, dead = false;
  const judgedBy = new Map<string, number>(), lastVersion = new Map<string, number>();
  const greatest = [-Infinity, -Infinity];
  const table = new Map<string, { revision: number; text: string }>(),
    contents = new Map<string, string>();

  const timeOf = ({ time }: Message, version: number) => time - (version % 3) * 9;
  const isIn = ({ offset }: Message, version: number) => (offset + version) % 4 !== 0;
  const enriched = (message: Message) => {
    const { partition, offset } = message;
    const place = `${partition}:${offset}`;
    if (dead) source.provisional[partition] ??= offset;
    lastVersion.set(place, version);
    if (!judgedBy.has(place)) {
      judgedBy.set(place, greatest[partition]! - OUT_OF_ORDER);
      if (isIn(message, version)) {
        greatest[partition] = Math.max(greatest[partition]!, timeOf(message, version));
      }
    }
    return { ...message, timestamp: timeOf(message, version), amount: offset + 1, version };
  };
  const begin = () => {
    const app = new App({ clock, commit: { interval } });
    app.handle(
      source,
      map(enriched),
      filter((message) => isIn(message, message.version)),
      tumbling({
        size: SIZE,
        outOfOrderness: OUT_OF_ORDER,
        idle: "hold",
        maxAhead: Infinity,
        emit,
        ...(accept > 0 && { late: { accept } }),
        into: { n: count(), total: sum(({ amount }) => amount) },
      }),
      ({ id, revision, value, empty }) => {
        const text = JSON.stringify(value);
        assertEquals(contents.get(`${id} ${revision}`) ?? text, text);
        contents.set(`${id} ${revision}`, text);
        if ((table.get(id)?.revision ?? 0) > revision) return;
        if (empty) {
          assertEquals(value, { n: 0, total: 0 });
          table.delete(id);
        } else table.set(id, { revision, text });
      },
      { name: "windows", state },
    );
    return { app, streaming: app.stream() };
  };
  let running = begin();
  const settle = async () => {
    for (let round = 0; round < 4; round++) await clock.tick(200);
  };
  const correct = async () => {
    dead = false;
    version++;
    await settle();
    const from: Record<number, number> = {};
    for (const partition of [0, 1]) {
      const first = source.provisional[partition];
      if (first !== undefined) from[partition] = first;
    }
    gateOf(source).seek(from);
    await settle();
  };
  let now = 100;
  const produce = (time: number) => {
    const partition = random.integer(2), log = source.logs[partition]!;
    log.push({ partition, offset: log.length, key: random.chance(0.7) ? "a" : "b", time });
  };
  for (let step = 0; step < 40; step++) {
    const what = random.number();
    if (what < 0.7) {
      for (let left = random.integer(4); left >= 0; left--) {
        now += random.integer(6);
        produce(now - random.integer(random.chance(0.15) ? 40 : 6));
      }
      source.wakeUp();
      if (random.chance(0.7)) await settle();
    } else if (what < 0.8) dead = true;
    else if (what < 0.92) await correct();
    else {
      await settle();
      await Promise.all([running.app.close(), clock.tick(1_000)]);
      await running.streaming;
      running = begin();
      await settle();
    }
  }
  await correct();
  // One of each partition that moves the watermark past everything, whatever its version.
  for (const partition of [0, 1]) {
    for (let n = 0; n < 2; n++) {
      const log = source.logs[partition]!;
      log.push({ partition, offset: log.length, key: "end", time: now + 1_000 });
    }
  }
  source.wakeUp();
  await clock.tick(10_000);
  await settle();
  await Promise.all([running.app.close(), clock.tick(1_000)]);
  await running.streaming;

  const want = new Map<string, { n: number; total: number }>();
  for (const message of source.logs.flat()) {
    const place = `${message.partition}:${message.offset}`;
    const version = lastVersion.get(place)!;
    if (message.key === "end" || !isIn(message, version)) continue;
    const time = timeOf(message, version), start = Math.floor(time / SIZE) * SIZE;
    if (judgedBy.get(place)! >= start + SIZE + accept) continue;
    const id = `${message.partition}/${message.key}/${start}`;
    const sums = want.getOrInsertComputed(id, () => ({ n: 0, total: 0 }));
    sums.n++;
    sums.total += message.offset + 1;
  }
  const found = new Map(
    [...table].filter(([id]) => !id.includes("/end/")).map(([id, { text }]) => [id, text]),
  );
  assertEquals(found, new Map([...want].map(([id, sums]) => [id, JSON.stringify(sums)])));
}

Deno.test("rule 12: the last revision of every window has what its messages are in the end", async () => {
  for (let seed = 0; seed < 500; seed++) {
    try {
      await simulate(seed);
    } catch (cause) {
      throw new Error(`Seed ${seed} fails: ${(cause as Error).message}`, { cause });
    }
  }
});

Deno.test("rule 12: a replay that changes nothing gives no revision, and one that takes all away gives an empty one", async () => {
  const source = new Corrected();
  const clock = new ManualClock(1_000_000);
  const app = new App({ clock, commit: { interval: 100 } });
  const seen: unknown[] = [];
  let moved = false;
  app.handle(
    source,
    map((message) => ({ ...message, timestamp: moved ? message.time + SIZE : message.time })),
    tumbling({ size: SIZE, idle: "hold", into: { n: count() } }),
    ({ id, revision, value, final, empty = false }) => {
      seen.push([id, revision, value.n, final, empty]);
    },
    { name: "windows", state: new MemoryCache({ maxBytes: Infinity }) },
  );
  const streaming = app.stream();
  const settle = async () => {
    for (let round = 0; round < 4; round++) await clock.tick(200);
    return seen.splice(0);
  };
  gateOf(source).provisional = () => 0; // what is made again may become stale again
  source.logs[0]!.push({ partition: 0, offset: 0, key: "a", time: 5 });
  source.logs[0]!.push({ partition: 0, offset: 1, key: "b", time: 3 * SIZE });
  source.wakeUp();
  assertEquals(await settle(), [["0/a/0", 1, 1, true, false]]);
  gateOf(source).seek({ 0: 0 });
  assertEquals(await settle(), []);
  moved = true;
  gateOf(source).seek({ 0: 0 });
  assertEquals(await settle(), [["0/a/20", 1, 1, true, false], ["0/a/0", 2, 0, true, true]]);
  assert(clock.pending >= 0);
  await Promise.all([app.close(), clock.tick(1_000)]);
  await streaming;
});
