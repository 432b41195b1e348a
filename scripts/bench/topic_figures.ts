/** What is measured of Topic beside messages a second. */
import process from "node:process";
import { delay } from "@std/async/delay";
import { App } from "@slipstream/slipstream";
import type { Observation } from "./benchmark.ts";
import { collectGarbage } from "./heap.ts";
import { emptyTopic, open, seed, value } from "./topic.ts";

const MAX_WAIT_MS = 250;

function quantiles(numbers: number[]): { p50: number; p99: number } {
  const sorted = numbers.toSorted((a, b) => a - b);
  return { p50: sorted[sorted.length >> 1]!, p99: sorted[Math.floor(sorted.length * 0.99)]! };
}

/** Milliseconds from a send to its handling, for a message a millisecond. */
const roundtrip: Observation = {
  name: "topic/roundtrip",
  unit: "ms",
  async observe() {
    const count = 5_000;
    await using topic = open(await emptyTopic());
    const sent: number[] = [];
    const took: number[] = [];
    const all = new AbortController();
    const app = new App();
    app.handle(topic, ({ value: { i } }) => {
      if (i >= 0 && took.push(performance.now() - sent[i]!) === count) all.abort();
      if (i < 0) begin.resolve();
    });
    const begin = Promise.withResolvers<void>();
    const streaming = app.stream({ signal: all.signal });
    await topic.send({ key: "k", value: value(-1) });
    await begin.promise;
    const sending: Promise<unknown>[] = [];
    while (sent.length < count) {
      const i = sent.push(performance.now()) - 1;
      sending.push(topic.send({ key: "k", value: value(i) }));
      await delay(1);
    }
    await Promise.all(sending);
    await streaming;
    return quantiles(took);
  },
};

/** Milliseconds from the end of a pause to the first message, beside twice `maxWaitTimeInMs`. */
const resume: Observation = {
  name: "topic/resume",
  unit: "ms",
  async observe() {
    await using topic = open(await emptyTopic(), { maxWaitTimeInMs: MAX_WAIT_MS });
    const all = new AbortController();
    const app = new App();
    let handled = Promise.withResolvers<void>();
    app.handle(topic, () => handled.resolve());
    const streaming = app.stream({ signal: all.signal });
    await topic.send({ key: "k", value: value(0) });
    await handled.promise;
    const took: number[] = [];
    while (took.length < 20) {
      handled = Promise.withResolvers<void>();
      app.pause(topic);
      await topic.send({ key: "k", value: value(took.length) });
      await delay(Math.random() * 4 * MAX_WAIT_MS);
      const resumed = performance.now();
      app.resume(topic);
      await handled.promise;
      took.push(performance.now() - resumed);
    }
    all.abort();
    await streaming;
    return { p50: quantiles(took).p50, longest: Math.max(...took), bound: 2 * MAX_WAIT_MS };
  },
};

/** How the heap grows while a million messages wait behind a paused source. */
const paused: Observation = {
  name: "topic/paused",
  unit: "MB",
  async observe() {
    await using topic = open(await seed(1_000_000));
    const all = new AbortController();
    const app = new App();
    const first = Promise.withResolvers<void>();
    app.handle(topic, () => {
      app.pause(topic);
      first.resolve();
    });
    const streaming = app.stream({ signal: all.signal });
    await first.promise;
    const heap = async (afterMs: number) => {
      await delay(afterMs);
      collectGarbage();
      const { heapUsed, external } = Deno.memoryUsage();
      return (heapUsed + external) / 2 ** 20;
    };
    const before = await heap(2_000);
    const after = await heap(10_000);
    all.abort();
    await streaming;
    return { held: before, growth: after - before };
  },
};

/** The share of one processor that an idle producer and an idle consumer take. */
const idle: Observation = {
  name: "topic/idle",
  unit: "% of a processor",
  async observe() {
    await using topic = open(await emptyTopic());
    const all = new AbortController();
    const app = new App();
    const first = Promise.withResolvers<void>();
    app.handle(topic, () => first.resolve());
    const streaming = app.stream({ signal: all.signal });
    await topic.send({ key: "k", value: value(0) });
    await first.promise;
    await delay(2_000);
    const forMs = 10_000;
    const { user, system } = process.cpuUsage();
    await delay(forMs);
    const used = process.cpuUsage({ user, system });
    all.abort();
    await streaming;
    return { cpu: (used.user + used.system) / 10 / forMs };
  },
};

/** The observations of Topic. */
export const topicFigures: readonly Observation[] = [roundtrip, resume, paused, idle];
