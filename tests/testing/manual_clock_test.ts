import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ManualClock } from "../../src/testing/manual_clock.ts";

Deno.test("ManualClock.tick() and step() take any Duration", async () => {
  const clock = new ManualClock(0);
  const fired: number[] = [];
  clock.timer(() => fired.push(clock.monotonic()), 90_000);
  await clock.tick({ minutes: 1 });
  await clock.tick(Temporal.Duration.from("PT30S"));
  assertEquals(fired, [90_000]);
  clock.step({ hours: 1 });
  assertEquals([clock.now(), clock.monotonic()], [3_690_000, 90_000]);
  clock.step(-3_600_000);
  assertEquals([clock.now(), clock.monotonic()], [90_000, 90_000]);
});

Deno.test("ManualClock.tick() and step() refuse values that are not a duration, and leave the time as it was", async () => {
  const clock = new ManualClock(0);
  await assertRejects(() => clock.tick("1" as never), TypeError, "Cannot use tick()");
  await assertRejects(() => clock.tick({ second: 1 } as never), TypeError, '"seconds"');
  for (const ms of [-1, NaN, Infinity]) {
    await assertRejects(
      () => clock.tick(ms),
      RangeError,
      `a duration of finite milliseconds >= 0: current value is ${ms}`,
    );
  }
  for (const ms of [NaN, Infinity, -Infinity]) {
    assertThrows(
      () => clock.step(ms),
      RangeError,
      `Cannot use step() as it must be a duration of finite milliseconds: current value is ${ms}`,
    );
  }
  assertEquals([clock.now(), clock.monotonic()], [0, 0]);
});
