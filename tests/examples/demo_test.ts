import { assertEquals } from "@std/assert";
import { readExample, runDeno } from "../_support/examples.ts";

Deno.test("examples/demo.ts tells what is paused, what was stale and what was corrected", async () => {
  const { args, output } = await readExample("demo");
  assertEquals(await runDeno(args), output);
});
