import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  App,
  deadLetter,
  type FlowFailure,
  HandlerError,
  type OnError,
  Proxy,
  retry,
  SinkError,
} from "../../mod.ts";
import { settle } from "../../src/testing/mod.ts";
import { Recorder } from "../_support/recorder.ts";

/** What a graph of fan-out and Proxy did when one message failed at one place. */
interface Outcome {
  readonly error: unknown;
  readonly log: string;
  readonly acknowledged: number[];
  readonly attempts: number;
  readonly dead: FlowFailure[];
  readonly cancelled: number;
}

type Place =
  | "handler"
  | "handler after its first yield"
  | "the first sink of two"
  | "the second sink of two";

/**
 * Source 0…3 goes to flow "a", which writes to a Proxy of bound 1, and to flow "b". The Proxy is read by
 * flow "c", which fails on message 1 at `place`, `failures` times, and by flow "d".
 */
async function fail(place: Place, onError: OnError, failures = Infinity): Promise<Outcome> {
  const app = new App();
  const source = new Recorder([0, 1, 2, 3]);
  const proxy = new Proxy<number>({ bound: 1 });
  const log: string[] = [];
  const dead: FlowFailure[] = [];
  let attempts = 0;
  const failAt = (here: Place, n: number) => {
    if (n !== 1 || here !== place) return;
    if (attempts++ < failures) throw new Error("broken");
  };
  const withSink = typeof onError === "object" && "deadLetter" in onError
    ? deadLetter((error) => void dead.push(error))
    : onError;
  app.handle(source, (n) => n, { sink: proxy, name: "a" });
  app.handle(source, async (n) => {
    await settle();
    log.push(`b${n}`);
  }, { name: "b" });
  app.handle(proxy, function* (n) {
    failAt("handler", n);
    yield n;
    failAt("handler after its first yield", n);
  }, {
    name: "c",
    onError: withSink,
    sink: [
      async (n) => {
        await settle();
        failAt("the first sink of two", n);
        log.push(`c${n}`);
      },
      (n) => {
        failAt("the second sink of two", n);
        log.push(`C${n}`);
      },
    ],
  });
  app.handle(proxy, (n) => void log.push(`d${n}`), { name: "d" });
  const error = await app.stream().catch((error) => error);
  return {
    error,
    log: log.filter((entry) => /[cC]/.test(entry)).join(" "),
    acknowledged: source.acknowledged,
    attempts,
    dead,
    cancelled: source.cancelled,
  };
}

const PLACES: [Place, typeof HandlerError | typeof SinkError, string, string][] = [
  ["handler", HandlerError, "c0 C0", "c0 C0 c2 C2 c3 C3"],
  ["handler after its first yield", HandlerError, "c0 C0 c1 C1", "c0 C0 c1 C1 c2 C2 c3 C3"],
  ["the first sink of two", SinkError, "c0 C0", "c0 C0 C1 c2 C2 c3 C3"],
  ["the second sink of two", SinkError, "c0 C0 c1", "c0 C0 c1 c2 C2 c3 C3"],
];

for (const [place, Kind, stopped, skipped] of PLACES) {
  Deno.test(`onError "stop" at ${place} ends the app and leaves the message unacknowledged`, async () => {
    const { error, log, acknowledged, cancelled } = await fail(place, "stop");
    assertInstanceOf<HandlerError | SinkError>(error, Kind);
    assertEquals(error.flow, "c");
    assertEquals(error.input, 1);
    assertEquals((error.cause as Error).message, "broken");
    assertEquals(log, stopped);
    assertEquals(acknowledged, [0]);
    assertEquals(cancelled, 1);
  });

  Deno.test(`onError "skip" at ${place} goes on and acknowledges the message`, async () => {
    const { error, log, acknowledged } = await fail(place, "skip");
    assertEquals(error, undefined);
    assertEquals(log, skipped);
    assertEquals(acknowledged, [0, 1, 2, 3]);
  });

  Deno.test(`onError { deadLetter } at ${place} writes the error and goes on`, async () => {
    const { error, log, acknowledged, dead } = await fail(place, deadLetter(() => {}));
    assertEquals(error, undefined);
    assertEquals(log, skipped);
    assertEquals(dead.length, 1);
    assertInstanceOf<HandlerError | SinkError>(dead[0], Kind);
    assertEquals(dead[0].input, 1);
    assertEquals(acknowledged, [0, 1, 2, 3]);
  });

  Deno.test(`onError { retry } at ${place} repeats that step until it succeeds`, async () => {
    const { error, log, acknowledged, attempts } = await fail(place, retry({ minDelay: 1 }), 2);
    assertEquals(error, undefined);
    assertEquals(attempts, 3);
    const again = place === "handler after its first yield" ? "c1 C1 c1 C1 c1 C1" : "c1 C1";
    assertEquals(log, `c0 C0 ${again} c2 C2 c3 C3`);
    assertEquals(acknowledged, [0, 1, 2, 3]);
  });

  Deno.test(`onError { retry } at ${place} stops the app when it is exhausted`, async () => {
    const { error, acknowledged, attempts } = await fail(
      place,
      retry({ attempts: 2, minDelay: 1 }),
    );
    assertInstanceOf<HandlerError | SinkError>(error, Kind);
    assertEquals(attempts, 3);
    assertEquals(acknowledged, [0]);
  });

  Deno.test(`onError { retry, otherwise: "skip" } at ${place} goes on when it is exhausted`, async () => {
    const policy = retry({ attempts: 1, minDelay: 1 }, "skip");
    const { error, acknowledged, attempts } = await fail(place, policy);
    assertEquals(error, undefined);
    assertEquals(attempts, 2);
    assertEquals(acknowledged, [0, 1, 2, 3]);
  });

  Deno.test(`onError as a function at ${place} chooses for each error`, async () => {
    const { error, acknowledged } = await fail(
      place,
      (error) => (error.cause as Error).message === "broken" ? "skip" : "stop",
    );
    assertEquals(error, undefined);
    assertEquals(acknowledged, [0, 1, 2, 3]);
  });
}

Deno.test("onError of the app holds for flows without one of their own", async () => {
  const app = new App({ onError: "skip" });
  const log: number[] = [];
  app.handle([1, 2, 3], (n) => {
    if (n === 2) throw new Error("broken");
    log.push(n);
  });
  await app.stream();
  assertEquals(log, [1, 3]);
});

Deno.test("onError as a function that throws ends the app with what it threw", async () => {
  const app = new App({
    onError: () => {
      throw new Error("cannot choose");
    },
  });
  app.handle([1], () => {
    throw new Error("broken");
  });
  const error = await assertRejects(() => app.stream(), HandlerError);
  assertEquals((error.cause as Error).message, "cannot choose");
  assertEquals(error.others.map((other) => (other as HandlerError).message), [
    'Cannot handle a message in flow "flow 1": broken',
  ]);
});

Deno.test("a dead-letter sink that fails ends the app, and the message stays unacknowledged", async () => {
  const app = new App();
  const source = new Recorder([1]);
  app.handle(source, () => {
    throw new Error("broken");
  }, {
    onError: deadLetter(() => {
      throw new Error("full");
    }),
  });
  const error = await assertRejects(() => app.stream(), SinkError, "the dead-letter sink");
  assertEquals((error.cause as Error).message, "full");
  assertInstanceOf(error.output, HandlerError);
  assertEquals(source.acknowledged, []);
});

Deno.test("a dead-letter sink may be a Proxy: the message is done when its flow is", async () => {
  const app = new App();
  const source = new Recorder([1]);
  const letters = new Proxy<FlowFailure>();
  const log: unknown[] = [];
  app.handle(source, () => {
    throw new Error("broken");
  }, { onError: deadLetter(letters) });
  app.handle(letters, async (error) => {
    await settle();
    log.push(error.input, [...source.acknowledged]);
  });
  await app.stream();
  assertEquals(log, [1, []]);
  assertEquals(source.acknowledged, [0]);
});

Deno.test("an exhausted sink error is not repeated by its handler's policy", async () => {
  const app = new App();
  let calls = 0, writes = 0;
  app.handle([1], (n) => {
    calls++;
    return n;
  }, {
    onError: retry({ attempts: 2, minDelay: 1 }),
    sink: () => {
      writes++;
      throw new Error("broken");
    },
  });
  await assertRejects(() => app.stream(), SinkError);
  assertEquals([calls, writes], [1, 3]);
});

Deno.test("context.attempt counts the calls of one message and begins again with the next", async () => {
  const app = new App();
  const attempts: [number, number][] = [];
  app.handle([1, 2], (n, { attempt }) => {
    attempts.push([n, attempt]);
    if (n === 1 && attempt < 3) throw new Error("not yet");
  }, { onError: retry({ minDelay: 1 }) });
  await app.stream();
  assertEquals(attempts, [[1, 1], [1, 2], [1, 3], [2, 1]]);
});
