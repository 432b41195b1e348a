import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { exactPipe } from "../../src/connector/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { Topic } from "../../src/kafka/mod.ts";
import { App, HandlerError, retry, SinkError } from "../../mod.ts";

Deno.test("exactPipe() refuses values that are not a function", () => {
  assertThrows(
    () => exactPipe(1 as never),
    TypeError,
    "Cannot make an exact pipe: it must be a function, got 1",
  );
});

Deno.test("exactPipe() emits any number of values for a message, awaited or not", async () => {
  const app = new App();
  const seen: number[] = [];
  const twice = exactPipe<number, number>((emit) => async (n) => {
    await emit(n);
    await Promise.resolve();
    await emit(n);
  });
  app.handle([1, 2], twice, (n) => n, { sink: (n) => void seen.push(n) });
  await app.stream();
  assertEquals(seen, [1, 1, 2, 2]);
});

Deno.test("exactPipe() opens anew in each run", async () => {
  let opened = 0;
  const app = new App();
  const counted = exactPipe<number, number>((emit) => (opened++, emit));
  app.handle([1], counted, (n) => n);
  await app.stream();
  await app.stream();
  assertEquals(opened, 2);
});

Deno.test("exactPipe() has its errors meet onError, and a retry calls it again", async () => {
  for (const isLate of [false, true]) {
    const app = new App({ onError: retry({ attempts: 2, minDelay: 1 }) });
    let calls = 0;
    const seen: number[] = [];
    const flaky = exactPipe<number, number>((emit) => (n) => {
      if (++calls > 1) return emit(n);
      if (isLate) return Promise.reject(new Error("flaky"));
      throw new Error("flaky");
    });
    app.handle([1], flaky, (n) => n, { sink: (n) => void seen.push(n) });
    await app.stream();
    assertEquals([calls, seen], [2, [1]]);
  }
  const app = new App();
  const failing = exactPipe<number, number>(() => () => {
    throw new Error("broken");
  });
  app.handle([1], failing, (n) => n);
  const error = await assertRejects(() => app.stream(), HandlerError);
  assertEquals((error.cause as Error).message, "broken");
});

Deno.test("exactPipe() passes errors of a sink on as they are", async () => {
  const app = new App();
  const through = exactPipe<number, number>((emit) => emit);
  app.handle([1], through, (n) => n, {
    sink: () => {
      throw new Error("full");
    },
  });
  const error = await assertRejects(() => app.stream(), SinkError);
  assertEquals((error.cause as Error).message, "full");
});

Deno.test("exactPipe() refuses an emit() after its message is done: it would belong to none", async () => {
  const app = new App();
  let late: (n: number) => void | Promise<void> = () => {};
  const keeping = exactPipe<number, number>((emit) => {
    late = emit;
    return emit;
  });
  app.handle([1], keeping, (n) => n);
  await app.stream();
  assertThrows(() => late(2), Error, "Cannot emit after the message is done: await emit()");
});

Deno.test("exactPipe() behind a Topic commits a message when all that it emitted is done", async () => {
  await using broker = new MemoryBroker();
  await using topic = new Topic("numbers", { broker, groupId: "g", offset: "earliest" });
  for (const value of ["1", "2", "3"]) await topic.send({ value });
  const stop = new AbortController();
  const app = new App();
  const copies = exactPipe<{ readonly value: string }, string>((emit) => async ({ value }) => {
    for (let copy = 0; copy < Number(value); copy++) await emit(value);
  });
  const seen: string[] = [];
  app.handle(topic, copies, (value) => value, {
    sink: (value) => {
      if (seen.push(value) === 5) throw new Error("the third message is not done");
    },
  });
  await assertRejects(() => app.stream({ signal: stop.signal }), SinkError);
  assertEquals(seen, ["1", "2", "2", "3", "3"]);
  assertEquals([...await broker.committed("g", "numbers")], [[0, 2]]);
});
