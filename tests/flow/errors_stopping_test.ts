import { assertEquals, assertRejects } from "@std/assert";
import {
  App,
  deadLetter,
  type FlowFailure,
  HandlerError,
  merge,
  PipeError,
  Proxy,
  retry,
  sequential,
  type Source,
  SourceError,
  type StatusEvent,
} from "../../mod.ts";
import { settle } from "../../src/testing/mod.ts";
import { Recorder } from "../_support/recorder.ts";

Deno.test("an error of a source stops the app; what it handed out before is finished", async () => {
  const app = new App({ onError: "skip" });
  const proxy = new Proxy<number>();
  async function* broken() {
    yield 1;
    await settle();
    yield 2;
    throw new Error("no more");
  }
  const log: number[] = [];
  app.handle(broken(), (n) => n, { sink: proxy });
  app.handle(proxy, async (n) => {
    await settle();
    log.push(n);
  });
  const error = await assertRejects(() => app.stream(), SourceError, "no more");
  assertEquals((error.cause as Error).message, "no more");
  assertEquals(log, [1, 2]);
});

Deno.test("an error in a pipe stops the app whatever the policy", async () => {
  const app = new App({ onError: "skip" });
  const source = new Recorder([1, 2, 3]);
  app.handle(
    source,
    sequential(async function* (messages: AsyncIterable<number>) {
      for await (const n of messages) {
        if (n === 2) throw new Error("leak");
        yield n;
      }
    }),
    () => {},
  );
  app.handle(source, () => {});
  await assertRejects(() => app.stream(), PipeError, "leak");
  assertEquals(source.acknowledged, [0]);
});

// deno-lint-ignore require-yield
async function* failingAfter(wait: Promise<void>, name: string): AsyncGenerator<number> {
  await wait;
  throw new Error(name);
}

/** What `stream()` of this app rejects with: the first error, and the others. */
async function errorsOf(app: App): Promise<string[]> {
  const error = await assertRejects(() => app.stream()) as Error & { others: Error[] };
  return [error, ...error.others].map(({ message }) => message);
}

Deno.test("sources that fail in one tick: the first error is thrown, the rest are in its others", async () => {
  const gate = Promise.withResolvers<void>();
  let reading = 0;
  const allRead = (): Promise<void> => {
    if (++reading === 5) setTimeout(gate.resolve);
    return gate.promise;
  };
  const failing = async function* (name: string): AsyncGenerator<number> {
    yield* failingAfter(allRead(), name);
  };
  const fail = (name: string): never => {
    throw new Error(name);
  };
  const promises = function* () {
    yield allRead().then(() => fail("promise"));
  };
  const app = new App();
  app.handle(failing("a"), () => {}, { name: "a" });
  app.handle(failing("b"), () => {}, { name: "b" });
  app.handle(promises(), () => {}, { name: "promise" });
  app.handle(merge(failing("c"), failing("d")), () => {}, { name: "merge" });
  const [first, ...others] = await errorsOf(app);
  const expected = [["a", "a"], ["b", "b"], ["promise", "promise"], ["merge", "d"], [
    "merge",
    "c",
  ]]
    .map(([flow, message]) => `Cannot read the source in flow "${flow}": ${message}`);
  assertEquals(others.length, 4);
  assertEquals([first, ...others].toSorted(), expected.toSorted());
});

Deno.test("a source that was told to stop and says so adds nothing to the error that stopped it", async () => {
  const stopped = new AbortController();
  const app = new App({ onStatus: ({ type }) => type === "stopping" && stopped.abort() });
  app.handle([1], () => {
    throw new Error("first");
  });
  app.handle({
    [Symbol.asyncIterator]: () => ({
      next: () =>
        new Promise<IteratorResult<number>>((_, reject) =>
          stopped.signal.addEventListener("abort", () => reject(stopped.signal.reason))
        ),
    }),
  }, () => {});
  assertEquals(await errorsOf(app), ['Cannot handle a message in flow "flow 1": first']);
});

Deno.test("what a source fails with after a clean stop is not the app's error", async () => {
  const stopped = new AbortController();
  const app = new App();
  app.handle({
    [Symbol.asyncIterator]: () => ({
      next: () =>
        new Promise<IteratorResult<number>>((_, reject) =>
          stopped.signal.addEventListener("abort", () => reject(new Error("socket closed")))
        ),
    }),
  }, () => {});
  const streaming = app.stream({ signal: stopped.signal });
  await settle();
  stopped.abort();
  await streaming;
});

Deno.test("what a source failed with while it was paused is told when the app stops", async () => {
  for (const kind of ["async", "sync"]) {
    const gate = Promise.withResolvers<void>();
    const fail = (): never => {
      throw new Error("broken");
    };
    const source: Source<number> = kind === "async"
      ? failingAfter(gate.promise, "broken")
      : [gate.promise.then(fail)];
    const app = new App();
    app.handle(source, () => {});
    const streaming = errorsOf(app);
    await settle();
    app.pause(source);
    gate.resolve();
    await settle();
    await app.close();
    assertEquals(await streaming, ['Cannot read the source in flow "flow 1": broken']);
  }
});

Deno.test("two flows that fail on the same message: the first is thrown, the second is in its others", async () => {
  const app = new App();
  const source = new Recorder([1, 2]);
  app.handle(source, () => {
    throw new Error("one");
  });
  app.handle(source, async () => {
    await settle();
    throw new Error("two");
  });
  const error = await assertRejects(() => app.stream(), HandlerError, "one");
  assertEquals(error.others.map((other) => ((other as Error).cause as Error).message), ["two"]);
  assertEquals(source.acknowledged, []);
});

Deno.test("an error stops every source; messages in flight elsewhere are finished and committed", async () => {
  const app = new App();
  const source = new Recorder([1, 2, 3]);
  const finished: number[] = [];
  app.handle(source, async (n) => {
    for (let turn = 0; turn < 5; turn++) await settle();
    finished.push(n);
  });
  app.handle([1], async () => {
    await settle();
    throw new Error("broken");
  });
  await assertRejects(() => app.stream(), HandlerError, "broken");
  assertEquals(finished, [1]);
  assertEquals(source.committed.at(-1), 1);
});

Deno.test("an error names topic, partition, offset and key of the message", async () => {
  const app = new App();
  app.handle([{ topic: "emoji", partition: 2, offset: 7, key: "fish" }], () => {
    throw new Error("broken");
  }, { name: "reader" });
  const error = await assertRejects(() => app.stream(), HandlerError);
  assertEquals(
    error.message,
    'Cannot handle a message in flow "reader" of topic "emoji" partition 2 offset 7: broken',
  );
  assertEquals([error.topic, error.partition, error.offset, error.key], ["emoji", 2, 7, "fish"]);
});

Deno.test("onStatus is told of retries, skips, dead letters and errors", async () => {
  const events: StatusEvent[] = [];
  const app = new App({ onStatus: (event) => events.push(event) });
  const boom = () => {
    throw new Error("broken");
  };
  app.handle([1], boom, { name: "skipping", onError: retry({ attempts: 1, minDelay: 1 }, "skip") });
  app.handle([2], boom, { name: "dead", onError: deadLetter(() => {}) });
  app.handle([3], async () => {
    for (let turn = 0; turn < 50; turn++) await settle();
    boom();
  }, { name: "stopping" });
  await assertRejects(() => app.stream());
  const told = events.filter(({ type }) => /retry|skipped|dead|error/.test(type));
  assertEquals(
    told.map((event) => [event.type, "flow" in event ? event.flow : ""]).toSorted(),
    [["dead_letter", "dead"], ["error", ""], ["retry", "skipping"], ["skipped", "skipping"]],
  );
});

Deno.test("an error tells the message of its source, and behind a Proxy also that of the outside source", async () => {
  const app = new App();
  const proxy = new Proxy<string>();
  const told: unknown[] = [];
  const onError = ({ root, origin }: FlowFailure) => {
    told.push([root, origin]);
    return "skip" as const;
  };
  app.handle(new Recorder([1, 2]), (n) => {
    if (n === 1) throw new Error("first");
    return `value ${n}`;
  }, { sink: proxy, onError });
  app.handle(proxy, (text) => text, {
    sink: () => {
      throw new Error("second");
    },
    onError,
  });
  await app.stream();
  assertEquals(told, [[1, 1], ["value 2", 2]]);
});
