import { assertEquals } from "@std/assert";
import { Progress } from "../../src/kafka/progress.ts";
import { addSeek, seeksOf } from "../../src/kafka/seeks.ts";

Deno.test("Progress.restart() is committed again, also beside a commit that is under way", () => {
  const progress = new Progress();
  progress.begin(new Map([[0, 0]]), new Map([[0, 0]]));
  progress.open(0, 1, () => {})();
  const underWay = progress.uncommitted()!;
  assertEquals([...underWay.positions], [[0, 1]]);
  progress.restart(0, 0);
  underWay.confirm();
  assertEquals([...progress.uncommitted()!.positions], [[0, 0]]);
});

Deno.test("seeksOf() adds up the seeks from before the reading; one for all replaces those before it", () => {
  const first = addSeek(addSeek([], { 0: 4 }), { 1: 3 });
  assertEquals([...seeksOf([0, 1, 2], new Map(), first)], [[0, { 0: 4 }], [1, { 1: 3 }]]);
  const all = addSeek(addSeek(first, "earliest"), { 1: 5 });
  assertEquals([...seeksOf([0, 1], new Map(), all)], [[0, "earliest"], [1, { 1: 5 }]]);
});
