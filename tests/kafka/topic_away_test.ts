/** A Topic whose brokers cannot be reached ends at once when it is told to; what `onStatus` throws is met. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { App } from "../../mod.ts";
import { freePorts } from "../../scripts/kafka/ports.ts";
import { END, type Feed } from "../../src/flow/source/feed.ts";
import { Gate } from "../../src/flow/source/gate.ts";
import { MemoryBroker } from "../../src/kafka/memory/broker.ts";
import { type BrokerStatus, Topic, type TopicOptions } from "../../src/kafka/mod.ts";
import { iterate } from "../../src/kafka/topic/topic_iterator.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";

/** Makes a topic that nobody can reach; `away` resolves when it has found that out. */
function unreachable(options: TopicOptions = {}) {
  const { promise: away, resolve } = Promise.withResolvers<void>();
  const onStatus = ({ type }: BrokerStatus) => {
    if (type === "away") resolve();
  };
  const brokers = [`127.0.0.1:${freePorts(1)[0]}`];
  return { away, topic: new Topic("in", { brokers, groupId: "g", onStatus, ...options }) };
}

/** Runs a body that must take far less than the 60 s of `startTimeout`. */
async function promptly(body: () => Promise<unknown>): Promise<void> {
  const began = performance.now();
  await body();
  assert(performance.now() - began < 20_000, `It took ${performance.now() - began} ms`);
}

Deno.test("Topic.close() ends what waits for brokers that are away", async () => {
  await promptly(async () => {
    const { topic, away } = unreachable();
    const reading = topic[Symbol.asyncIterator]().next();
    const refused = ["send", "ensure"].map((what) =>
      assertRejects(
        () => what === "send" ? topic.send(["k", "v"]) : topic.ensure(),
        Error,
        'topic "in" as it is closed',
      )
    );
    await away;
    await topic.close();
    assertEquals(await reading, { done: true, value: undefined });
    await Promise.all(refused);
    await assertRejects(() => topic.send(["k", "v"]), TypeError, "as it is closed");
  });
});

Deno.test("stream() that is aborted ends while the brokers of its Topic are away", async () => {
  await promptly(async () => {
    const { topic, away } = unreachable();
    const app = new App();
    app.handle(topic, () => {});
    const stop = new AbortController();
    const streaming = app.stream({ signal: stop.signal });
    await away;
    stop.abort();
    await streaming;
  });
});

Deno.test("stream() at its hard end leaves no wait for the brokers of a sink behind", async () => {
  await promptly(async () => {
    const { topic, away } = unreachable();
    const app = new App();
    app.handle(["a"], (value) => ["k", value] as const, { sink: topic });
    const stop = new AbortController();
    const streaming = app.stream({ signal: stop.signal, drainTimeout: 1 });
    await away;
    stop.abort();
    await assertRejects(() => streaming, Error, "drainTimeout");
  });
});

Deno.test("break does not wait long for a commit that brokers do not answer", async () => {
  const clock = new ManualClock();
  let cancelled = false;
  const feed: Feed<string> = {
    poll: () => cancelled ? END : "a",
    wait: () => {},
    snapshot: () => () => new Promise(() => {}),
    cancel: () => void (cancelled = true),
  };
  let ended = false;
  const reading = (async () => {
    for await (const value of iterate(() => feed, new Gate(), clock)) {
      if (value === "a") break;
    }
    ended = true;
  })();
  await settle();
  await clock.tick(4_000);
  assertEquals([ended, cancelled], [false, false]);
  await clock.tick(1_000);
  await reading;
  assertEquals([ended, cancelled], [true, true]);
});

const broken = () => {
  throw new Error("of the callback");
};

Deno.test("Topic.send() rejects with what onStatus throws, of brokers that are away and dry", async () => {
  await promptly(async () => {
    const { topic } = unreachable({ onStatus: broken });
    await assertRejects(() => topic.send(["k", "v"]), Error, "of the callback");
    await topic.close();
  });
  await using dry = new Topic("in", { broker: new MemoryBroker(), dry: true, onStatus: broken });
  await assertRejects(() => dry.send(["k", "v"]), Error, "of the callback");
});

Deno.test("stream() rejects with what onStatus throws, of a source and of a sink", async () => {
  await using broker = new MemoryBroker();
  await using dry = new Topic("out", { broker, dry: true, onStatus: broken });
  const writing = new App();
  writing.handle(["a"], (value) => ["k", value] as const, { sink: dry });
  await assertRejects(() => writing.stream(), Error, "of the callback");
  await using topic = new Topic("in", { broker, groupId: "g", onStatus: broken });
  const reading = new App();
  reading.handle(topic, () => {});
  await assertRejects(() => reading.stream(), Error, "of the callback");
});
