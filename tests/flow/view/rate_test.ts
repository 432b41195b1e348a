import { assertEquals } from "@std/assert";
import { ManualClock } from "@slipstream/slipstream/testing";
import { Rate } from "../../../src/flow/view/rate.ts";

Deno.test("Rate.of() is that since the beginning when somebody looks for the first time", async () => {
  const clock = new ManualClock();
  const rate = new Rate(clock, 0);
  assertEquals(rate.of(0), 0);
  await clock.tick(4_000);
  assertEquals(rate.of(40), 10);
});

Deno.test("Rate.of() is that of the last seconds while somebody looks each second", async () => {
  const clock = new ManualClock();
  const rate = new Rate(clock, 0);
  let count = 0;
  const look = async (perSecond: number) => {
    await clock.tick(1_000);
    return rate.of(count += perSecond);
  };
  for (let n = 0; n < 10; n++) assertEquals(await look(100), 100);
  const rates = [];
  for (let n = 0; n < 7; n++) rates.push(Math.round(await look(0)));
  assertEquals(rates, [80, 60, 40, 20, 0, 0, 0]);
});

Deno.test("Rate.of() is the same for one who looks and for many who look at once", async () => {
  const clock = new ManualClock();
  const [alone, shared] = [new Rate(clock, 0), new Rate(clock, 0)];
  for (let n = 1; n <= 20; n++) {
    await clock.tick(1_000);
    for (let others = 0; others < 5; others++) shared.of(n * n);
    assertEquals(shared.of(n * n), alone.of(n * n));
  }
});
