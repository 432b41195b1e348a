import { assertEquals, assertRejects } from "@std/assert";
import { abortable, linked, settledWithin, withDeadline } from "../src/clock.ts";
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

Deno.test("withDeadline(), settledWithin() and abortable() end with the signal, and leave no timer", async () => {
  const clock = new ManualClock();
  const forever = new Promise<never>(() => {});
  const given = new AbortController();
  const { signal } = given;
  const waiting = [
    assertRejects(() => withDeadline(clock, 10, forever, late, signal), TypeError, "given up"),
    settledWithin(clock, 10, forever, signal),
    assertRejects(() => abortable(forever, signal), TypeError, "given up"),
  ];
  assertEquals(clock.pending, 2);
  given.abort(new TypeError("given up"));
  await Promise.all(waiting);
  await assertRejects(() => withDeadline(clock, 10, Promise.resolve(), late, signal), TypeError);
  await assertRejects(() => abortable(Promise.resolve(), signal), TypeError, "given up");
  assertEquals(clock.pending, 0);
});

Deno.test("abortable() settles as its promise does, whose later error is handled", async () => {
  const given = new AbortController();
  assertEquals(await abortable(Promise.resolve(1), given.signal), 1);
  const { promise, reject } = Promise.withResolvers<void>();
  const waiting = assertRejects(() => abortable(promise, given.signal), DOMException);
  given.abort();
  await waiting;
  reject(new TypeError("nobody waits for this"));
  await new Promise((resolve) => setImmediate(resolve));
});

Deno.test("linked() aborts with the first signal, until it is disposed of", () => {
  const [first, second] = [new AbortController(), new AbortController()];
  {
    using link = linked([first.signal, undefined, second.signal]);
    second.abort("why");
    assertEquals(link.signal.reason, "why");
  }
  using after = linked([second.signal]);
  assertEquals(after.signal.reason, "why");
  const disposed = linked([first.signal]);
  disposed[Symbol.dispose]();
  first.abort();
  assertEquals(disposed.signal.aborted, false);
});
