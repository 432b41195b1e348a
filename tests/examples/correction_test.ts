import { assertEquals } from "@std/assert";
import { readExample, runDeno } from "../_support/examples.ts";

Deno.test("examples/correction.ts: with correct every last result is right, in mode wait every result is", async () => {
  const { args, output } = await readExample("correction");
  const lines = await runDeno(args);
  assertEquals(lines, output);
  const figures = lines.slice(3).map((line) => line.match(/\d+/g)!.map(Number));
  assertEquals(figures, [
    [16, 1, 15],
    [16, 16, 0],
    [0, 0, 0],
  ]);
});
