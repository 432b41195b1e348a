/** What is measured of Topic beside messages a second. */
import process from "node:process";
import { delay } from "@std/async/delay";
import { App } from "@slipstream/slipstream";
import type { Observation } from "./benchmark.ts";
import { collectGarbage } from "./heap.ts";
import { profile } from "./profile.ts";
import { quantile } from "./rounds.ts";
import { emptyTopic, open, seed, value } from "./topic.ts";
import { latency } from "./topic_latency.ts";
import { roundtrip } from "./topic_roundtrip.ts";

const MAX_WAIT_MS = 250;

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
    return { p50: quantile(took, 0.5), longest: Math.max(...took), bound: 2 * MAX_WAIT_MS };
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
export const topicFigures: readonly Observation[] = [
  roundtrip,
  latency,
  resume,
  paused,
  idle,
  profile("topic/profile-through", "topic/through", "ours"),
  profile("topic/profile-count", "topic/count", "ours"),
  profile("topic/profile-kafkajs", "topic/through", "floor"),
];
