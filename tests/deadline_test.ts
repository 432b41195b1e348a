import { assertEquals, assertRejects } from "@std/assert";
import { settledWithin, withDeadline } from "../src/clock.ts";
import { ManualClock } from "../src/testing/manual_clock.ts";

const late = () => new RangeError("late");

Deno.test("withDeadline() settles as its promise does, and leaves no timer", async () => {
  const clock = new ManualClock();
  assertEquals(await withDeadline(clock, 10, Promise.resolve(1), late), 1);
  const failed = Promise.reject(new TypeError("no"));
  await assertRejects(() => withDeadline(clock, 10, failed, late), TypeError, "no");
  assertEquals(clock.pending, 0);
});

Deno.test("withDeadline() rejects when the time is over, and a promise that rejects later is handled", async () => {
  const clock = new ManualClock();
  const { promise, reject } = Promise.withResolvers<void>();
  const waiting = assertRejects(() => withDeadline(clock, 10, promise, late), RangeError, "late");
  await clock.tick(10);
  await waiting;
  reject(new TypeError("nobody waits for this"));
  await clock.tick(0);
  assertEquals(clock.pending, 0);
});

Deno.test("settledWithin() resolves at a result, at an error and when the time is over", async () => {
  const clock = new ManualClock();
  await settledWithin(clock, 10, Promise.resolve());
  await settledWithin(clock, 10, Promise.reject(new Error("no")));
  assertEquals(clock.pending, 0);
  const waiting = settledWithin(clock, 10, new Promise(() => {}));
  await clock.tick(10);
  await waiting;
});
