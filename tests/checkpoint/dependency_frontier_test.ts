import { assertEquals } from "@std/assert";
import { Parts } from "../../src/checkpoint/dependency_frontier.ts";

Deno.test("Parts is as far as the least of its parts", () => {
  const parts = new Parts(["a", "b"], "hold");
  parts.store("a", 10, -1);
  assertEquals(parts.stored(undefined), -Infinity);
  parts.store("b", 4, -1);
  parts.store("b", 3, -1);
  assertEquals(parts.stored(undefined), 4);
});

Deno.test("Parts with idle partitions passed over goes on without those that have been read to their end", () => {
  const parts = new Parts([], "pass");
  parts.expect([{ partition: 0, caughtUp: false }, { partition: 1, caughtUp: false }]);
  parts.store(0, 10, -1);
  parts.store(1, 4, -1);
  const read = (first: boolean, second: boolean) => [
    { partition: 0, caughtUp: first },
    { partition: 1, caughtUp: second },
  ];
  assertEquals(parts.stored(read(false, false)), 4);
  assertEquals(parts.stored(read(false, true)), 10);
  assertEquals(parts.stored(read(true, false)), 4);
  assertEquals(parts.stored(read(true, true)), 10);
});

Deno.test("Parts forgets the whole once parts are known", () => {
  const parts = new Parts([], "hold");
  parts.store("", 0, -1);
  assertEquals([parts.names, parts.stored(undefined)], [[""], 0]);
  parts.expect([{ partition: 0, caughtUp: false }]);
  parts.store("", 5, -1); // begun before
  parts.store(0, 10, -1);
  assertEquals([parts.names, parts.stored(undefined)], [[0], 10]);
});

Deno.test("Parts keeps what it knew of a part that is not expected any more, which holds nothing", () => {
  const before = new Parts(["a", "b"], "hold");
  before.store("a", 10, -1);
  before.store("b", 10, -1);
  const parts = new Parts(["a"], "hold");
  parts.restore(before.marks);
  parts.store("a", 100, -1);
  assertEquals([parts.names, parts.stored(undefined)], [["a"], 100]);
  assertEquals(parts.marks.get("b")?.stored, 10);
  parts.store("b", 20, -1); // it is heard of again
  assertEquals(parts.stored(undefined), 20);
});

Deno.test("Parts takes a number as a text for the partition", () => {
  const parts = new Parts(["0", "01"], "hold");
  parts.expect([{ partition: 0, caughtUp: false }]);
  parts.store("0", 10, -1);
  parts.store("01", 20, -1);
  assertEquals([parts.names, parts.stored(undefined)], [[0, "01"], 10]);
});

Deno.test("Parts knows a message that is delivered again", () => {
  const parts = new Parts([], "hold");
  parts.store(0, 10, 7);
  assertEquals([6, 7, 8, -1].map((position) => parts.isKnown(0, position)), [
    true,
    true,
    false,
    false,
  ]);
});
