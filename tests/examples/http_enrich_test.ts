import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { readExample, root, runDeno } from "../_support/examples.ts";

Deno.test("examples/http_enrich.ts gets the same results in less time by partition, and in least by key", async () => {
  const { args, output } = await readExample("http_enrich");
  assertEquals(args.at(-1), "2000");
  const lines = await runDeno([...args.slice(0, -1), "160"]);
  const shape = (line: string) => line.replaceAll(/[\d.]+/g, "N").replaceAll(/ +/g, " ");
  assertEquals(lines.map(shape), output.map(shape));
  assertEquals(lines[0], "160 messages, 8 requests failed at first");
  const [sequential, byPartition, byKey] = lines.slice(1, 4).map((line) =>
    Number(/([\d.]+) s$/.exec(line)![1])
  ) as [number, number, number];
  assert(sequential >= 160 * 0.02, `${sequential} s are too few for one after the other`);
  assertLess(byPartition, sequential);
  assertLess(byKey, sequential / 4); // more than the partitions allow
});

Deno.test("examples/http_enrich.ts refuses a number of messages that it does not have", async () => {
  const { args } = await readExample("http_enrich");
  for (const count of ["0", "2001", "many"]) {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [...args.slice(0, -1), count],
      cwd: root,
      env: { NO_COLOR: "1" },
    }).output();
    assertEquals(code, 1);
    const text = new TextDecoder().decode(stderr);
    assertStringIncludes(text, `Cannot send "${count}" messages`);
  }
});
