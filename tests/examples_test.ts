import { assertEquals } from "@std/assert";
import { elide, readExample, root, runDeno } from "./_support/examples.ts";

/** The examples whose output is not the same every time: each has a test of its own in tests/examples. */
const live = ["source_sse"];

for await (const { name: file } of Deno.readDir(new URL("examples/", root))) {
  const name = file.replace(/\.ts$/, "");
  if (name === file || live.includes(name)) continue;
  Deno.test(`examples/${file} prints what its head says`, async () => {
    const { args, output } = await readExample(name);
    assertEquals(elide(await runDeno(args), output), output);
  });
}
