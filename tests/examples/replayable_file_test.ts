import { assertEquals } from "@std/assert";
import { countLines, type Line, linesFrom } from "../../examples/replayable_file.ts";
import { temporaryFolder } from "../_support/temporary.ts";

Deno.test("linesFrom() goes on after each line, whatever its bytes are", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/lines.txt`;
  const long = "é".repeat(100_000); // more than one chunk of the file
  const texts = ["a", "", "🐟 und Öl", long, "the last"];
  await Deno.writeTextFile(path, texts.map((text) => `${text}\n`).join(""));
  const lines: Line[] = await Array.fromAsync(linesFrom(path));
  assertEquals(lines.map(({ text }) => text), texts);
  for (const [index, { next }] of lines.entries()) {
    const rest = await Array.fromAsync(linesFrom(path, next));
    assertEquals(rest, lines.slice(index + 1));
  }
});

Deno.test("countLines() counts a line once it is whole, and once only", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/lines.txt`;
  const counts: Record<string, number>[] = [];
  for (const added of ["fish\nsh", "oe\nfish\n", ""]) {
    await Deno.writeTextFile(path, added, { append: true });
    counts.push(Object.fromEntries(await countLines(path, `${folder.path}/counts`)));
  }
  assertEquals(counts, [{ fish: 1 }, { fish: 2, shoe: 1 }, { fish: 2, shoe: 1 }]);
});
