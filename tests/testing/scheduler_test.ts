import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { delay } from "../../src/clock.ts";
import { Scheduler } from "../../src/testing/scheduler.ts";

/** The order in which `count` turns of one scheduler are picked. */
async function orderOf(seed: number, count = 5): Promise<number[]> {
  const scheduler = new Scheduler(seed);
  const order: number[] = [];
  const wait = async (n: number) => {
    await scheduler.turn();
    order.push(n);
  };
  await scheduler.run(Promise.all(Array.from({ length: count }, (_, n) => wait(n))));
  return order;
}

Deno.test("Scheduler picks the same order for the same seed", async () => {
  assertEquals(await orderOf(3), await orderOf(3));
});

Deno.test("Scheduler picks every order of three turns within 100 seeds", async () => {
  const orders = new Set<string>();
  for (let seed = 0; seed < 100; seed++) orders.add(String(await orderOf(seed, 3)));
  assertEquals(orders.size, 6);
});

Deno.test("Scheduler.run() moves the clock only when nothing waits for a turn", async () => {
  const scheduler = new Scheduler(1);
  const order: string[] = [];
  const sleeper = delay(scheduler.clock, 1).then(() => order.push("time"));
  const worker = (async () => {
    for (let n = 0; n < 3; n++) await scheduler.turn();
    order.push("turns");
  })();
  await scheduler.run(Promise.all([sleeper, worker]));
  assertEquals(order, ["turns", "time"]);
  assertEquals(scheduler.clock.now(), 1);
});

Deno.test("Scheduler.run() lets a macrotask of its clock compete with turns", async () => {
  const first = new Set<string>();
  for (let seed = 0; seed < 20; seed++) {
    const scheduler = new Scheduler(seed);
    const order: string[] = [];
    const macrotask = new Promise<void>((resolve) => scheduler.clock.macrotask(resolve));
    await scheduler.run(Promise.all([
      macrotask.then(() => order.push("macrotask")),
      scheduler.turn().then(() => order.push("turn")),
    ]));
    first.add(order[0]!);
  }
  assertEquals(first.size, 2);
});

Deno.test("Scheduler.run() throws when nothing can go on, with the seed and the last steps", async () => {
  const scheduler = new Scheduler(7);
  const hanging = (async () => {
    await scheduler.turn("the last turn");
    await delay(scheduler.clock, 5);
    await new Promise(() => {});
  })();
  await assertRejects(
    () => scheduler.run(hanging),
    Error,
    "Cannot continue: nothing is waiting for its turn, with seed 7, after 2 steps: … the last turn, 5 ms pass",
  );
});

Deno.test("Scheduler.run() throws after maxSteps", async () => {
  const scheduler = new Scheduler(7);
  let stop = false;
  const endless = (async () => {
    while (!stop) await scheduler.turn();
  })();
  await assertRejects(
    () => scheduler.run(endless, { maxSteps: 20 }),
    Error,
    "Cannot finish within 20 steps, with seed 7",
  );
  stop = true;
  await scheduler.run(endless);
});

Deno.test("Scheduler.run() rejects with what the promise rejects with", async () => {
  const scheduler = new Scheduler(0);
  const failing = scheduler.turn().then(() => Promise.reject(new TypeError("broken")));
  await assertRejects(() => scheduler.run(failing), TypeError, "broken");
});

Deno.test("Scheduler.run() rejects with what onStep throws", async () => {
  const scheduler = new Scheduler(0);
  const onStep = () => {
    if (scheduler.steps === 1) throw new Error("not so");
  };
  const two = scheduler.turn().then(() => scheduler.turn());
  await assertRejects(() => scheduler.run(two, { onStep }), Error, "not so");
});

Deno.test("Scheduler.drain() goes on until no turn and no timer is left", async () => {
  const scheduler = new Scheduler(0);
  const seen: string[] = [];
  scheduler.turn().then(() => scheduler.clock.timer(() => seen.push("timer"), 10));
  await scheduler.drain();
  assertEquals(seen, ["timer"]);
  assertEquals([scheduler.waiting, scheduler.timers], [0, 0]);
});

Deno.test("new Scheduler() throws for a seed that is not a 32-bit integer", () => {
  for (const seed of [-1, 1.5, NaN, 2 ** 32]) {
    assertThrows(() => new Scheduler(seed), RangeError, `current value is ${seed}`);
  }
});
