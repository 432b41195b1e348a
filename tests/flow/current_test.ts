import { assertEquals } from "@std/assert";
import {
  currentWork,
  giveNumber,
  OVER,
  runFor,
  takeBack,
  takeBackAll,
} from "../../src/flow/run/current.ts";

/** For whom code entered by this number runs. */
function holderOf(number: number): object | undefined {
  return runFor(number, currentWork);
}

Deno.test("a number leads to its holder until it is taken back, whichever is taken back first", () => {
  const open = new Map<number, object>();
  const over: number[] = [];
  for (let i = 0; i < 5_000; i++) {
    const holder = { i };
    open.set(giveNumber(holder), holder);
    // One of three is done at once, one in the next round, and one far behind.
    for (const number of open.keys()) {
      const { i: of } = open.get(number) as { i: number };
      if (of % 3 === 2 ? i - of < 3_000 : i - of < of % 3) continue;
      takeBack(number);
      takeBack(number); // a second time it takes nothing from another
      open.delete(number);
      over.push(number);
    }
    if (i % 500 !== 0) continue;
    for (const [number, holder] of open) assertEquals(holderOf(number), holder);
    for (const number of over) assertEquals(holderOf(number), OVER);
  }
  takeBackAll((whom) => (whom as { i: number }).i % 2 === 0);
  for (const [number, holder] of open) {
    assertEquals(holderOf(number), (holder as { i: number }).i % 2 === 0 ? OVER : holder);
  }
  takeBackAll((whom) => open.values().some((holder) => holder === whom));
  for (const number of open.keys()) assertEquals(holderOf(number), OVER);
});
