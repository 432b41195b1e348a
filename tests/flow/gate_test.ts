import { assertEquals, assertThrows } from "@std/assert";
import { App } from "../../mod.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import { settle } from "../../src/testing/mod.ts";
import { Recorder } from "../_support/recorder.ts";

Deno.test("App.pause() from inside a handler takes effect before the next message", async () => {
  const app = new App();
  const source = [1, 2, 3];
  const log: number[] = [];
  app.handle(source, (n) => {
    log.push(n);
    if (n === 2) app.pause(source);
  });
  const streaming = app.stream();
  await settle();
  assertEquals(log, [1, 2]);
  app.resume(source);
  await streaming;
  assertEquals(log, [1, 2, 3]);
});

Deno.test("App.pause() from one flow of a source lets every flow finish the message", async () => {
  const app = new App();
  const source = new Recorder([1, 2, 3]);
  const log: string[] = [];
  app.handle(source, (n) => {
    log.push(`a${n}`);
    if (n === 2) app.pause(source);
  });
  app.handle(source, async (n) => {
    await settle();
    log.push(`b${n}`);
  });
  const streaming = app.stream();
  for (let turn = 0; turn < 10; turn++) await settle();
  assertEquals(log, ["a1", "b1", "a2", "b2"]);
  assertEquals(source.acknowledged, [0, 1]);
  app.resume(source);
  await streaming;
  assertEquals(log.slice(4), ["a3", "b3"]);
});

Deno.test("App.pause() while a next() is pending holds its message until the resume", async () => {
  const app = new App();
  const arrival = Promise.withResolvers<void>();
  async function* source() {
    await arrival.promise;
    yield 1;
    yield 2;
  }
  const messages = source();
  const log: number[] = [];
  app.handle(messages, (n) => void log.push(n));
  const streaming = app.stream();
  await settle();
  app.pause(messages);
  arrival.resolve();
  await settle();
  assertEquals(log, []);
  app.resume(messages);
  await streaming;
  assertEquals(log, [1, 2]);
});

Deno.test("App.pause() inside the source's own next() holds the message that it returns", async () => {
  const app = new App();
  const source = {
    *[Symbol.iterator]() {
      yield 1;
      app.pause(source);
      yield 2;
    },
  };
  const log: number[] = [];
  app.handle(source, (n) => void log.push(n));
  const streaming = app.stream();
  await settle();
  assertEquals(log, [1]);
  app.resume(source);
  await streaming;
  assertEquals(log, [1, 2]);
});

Deno.test("App.pause() before stream() holds the source back, and the others flow", async () => {
  const app = new App();
  const held = ["a"];
  const log: string[] = [];
  app.handle(held, (letter) => void log.push(letter));
  app.handle(["b"], (letter) => void log.push(letter));
  app.pause(held);
  const streaming = app.stream();
  await settle();
  assertEquals(log, ["b"]);
  app.resume(held);
  await streaming;
  assertEquals(log, ["b", "a"]);
});

Deno.test("App.resume() of one of two reasons leaves the source paused", async () => {
  const app = new App();
  const source = [1, 2];
  const log: number[] = [];
  app.handle(source, (n) => void log.push(n));
  app.pause(source, "lunch");
  app.pause(source, "rain");
  const streaming = app.stream();
  app.resume(source, "lunch");
  await settle();
  assertEquals(log, []);
  assertEquals(gateOf(source).reasons, ["rain"]);
  app.resume(source, "rain");
  await streaming;
  assertEquals(log, [1, 2]);
});

Deno.test("Gate.pause() of one partition keeps its messages back where the source cannot go around them", async () => {
  const app = new App();
  const source = [{ partition: 0, n: 1 }, { partition: 1, n: 2 }, { partition: 0, n: 3 }];
  const log: number[] = [];
  app.handle(source, ({ n }) => void log.push(n));
  gateOf(source).pause("slow", 1);
  const streaming = app.stream();
  await settle();
  assertEquals(log, [1]);
  gateOf(source).resume("slow", 1);
  await streaming;
  assertEquals(log, [1, 2, 3]);
});

Deno.test("Gate.guard() is asked for every message, and again after recheck()", async () => {
  const app = new App();
  const source = [1, 2, 3];
  const log: number[] = [];
  let frontier = 1;
  app.handle(source, (n) => void log.push(n));
  const remove = gateOf(source).guard((n) => (n as number) <= frontier);
  const streaming = app.stream();
  await settle();
  assertEquals(log, [1]);
  frontier = 2;
  gateOf(source).recheck();
  await settle();
  assertEquals(log, [1, 2]);
  remove();
  await streaming;
  assertEquals(log, [1, 2, 3]);
});

Deno.test("Gate.seek() from inside a handler neither waits for the message nor counts its acknowledgement", async () => {
  const app = new App();
  const source = new Recorder([0, 1, 2]);
  const log: number[] = [];
  app.handle(source, async (n) => {
    log.push(n);
    if (n === 2 && log.length === 3) gateOf(source).seek(1);
    await settle();
  });
  await app.stream();
  assertEquals(log, [0, 1, 2, 1, 2]);
  assertEquals(source.acknowledged, [0, 1, 1, 2]);
  assertEquals(source.ackedTo, 3);
});

Deno.test("Gate.seek() while paused drops the message that was held", async () => {
  const app = new App();
  const source = new Recorder([0, 1, 2, 3]);
  const log: number[] = [];
  app.handle(source, (n) => void log.push(n));
  let admitted = 2;
  const remove = gateOf(source).guard((n) => (n as number) < admitted);
  const streaming = app.stream();
  await settle();
  assertEquals(log, [0, 1]);
  app.pause(source);
  gateOf(source).seek(0);
  admitted = 4;
  remove();
  await settle();
  assertEquals(log, [0, 1]);
  app.resume(source);
  await streaming;
  assertEquals(log, [0, 1, 0, 1, 2, 3]);
});

Deno.test("Gate.seek() with a fan-out of three lets each finish the message, and replays for all", async () => {
  const app = new App();
  const source = new Recorder([0, 1]);
  const log: string[] = [];
  for (const name of ["a", "b", "c"]) {
    app.handle(source, async (n) => {
      if (name === "b") await settle();
      log.push(name + n);
      if (name === "b" && n === 1 && source.acknowledged.length === 1) gateOf(source).seek(0);
    }, { name });
  }
  await app.stream();
  assertEquals(log.join(" "), "a0 c0 b0 a1 c1 b1 a0 c0 b0 a1 c1 b1");
  assertEquals(source.acknowledged, [0, 0, 1]);
});

Deno.test("Gate.seek() of a source without positions, or one that is not read, is an error", async () => {
  const app = new App();
  const plain = [1];
  const source = new Recorder([1]);
  assertThrows(() => gateOf(source).seek(0), TypeError, "Cannot seek");
  app.handle(plain, () => gateOf(plain).seek(0));
  const error = await app.stream().catch((error) => error);
  assertEquals(
    error.cause.message,
    "Cannot seek: the source has no positions, or is not being read",
  );
});

Deno.test("App.stream() tells the reasons of a source when they change, whatever else of its gate does", async () => {
  const told: (readonly string[])[] = [];
  const app = new App({ onStatus: (event) => event.type === "gate" && told.push(event.reasons) });
  const source = [1];
  const gate = gateOf(source);
  app.handle(source, () => {
    const remove = gate.guard(() => true);
    for (let n = 0; n < 3; n++) gate.recheck();
    gate.pause("rain");
    gate.pause("rain");
    gate.recheck();
    gate.pause("snow", 1);
    gate.resume("snow", 1);
    gate.resume("rain");
    remove();
  });
  await app.stream();
  assertEquals(told, [["rain"], []]);
});

Deno.test("App.stream() tells the reasons of a paused source", async () => {
  const events: unknown[] = [];
  const app = new App({ onStatus: (event) => event.type === "gate" && events.push(event) });
  const source = [1];
  const paused = Promise.withResolvers<void>();
  app.handle(source, () => {
    app.pause(source, "rain");
    paused.resolve();
  });
  const streaming = app.stream();
  await paused.promise;
  app.resume(source, "rain");
  await streaming;
  assertEquals(events, [
    { type: "gate", source: "Array", reasons: ["rain"] },
    { type: "gate", source: "Array", reasons: [] },
  ]);
});
