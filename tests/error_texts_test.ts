/** Keeps all error texts of `src/` in one file, so that they can be read in a row, and that a change to one is seen. */
import { assert, assertEquals } from "@std/assert";
import { errorTexts } from "./_support/error_texts.ts";
import { root } from "./_support/examples.ts";

const KEPT = "tests/error_texts.txt";
const HEAD = `The texts of all errors in src/, by file: ‹name› is a value, ‹a | b› a choice.
Written by: UPDATE=1 deno test -A tests/error_texts_test.ts
`;

async function sourceFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, root))) {
    if (isDirectory) found.push(...await sourceFiles(`${folder}${name}/`));
    else if (name.endsWith(".ts")) found.push(`${folder}${name}`);
  }
  return found.sort();
}

Deno.test(`Error texts are those of ${KEPT}`, async () => {
  const sections = [HEAD];
  for (const path of await sourceFiles("src/")) {
    const texts = errorTexts(await Deno.readTextFile(new URL(path, root)));
    if (texts.length === 0) continue;
    sections.push(
      `${path}\n${texts.map((text) => `  ${text.replaceAll("\n", "\\n")}\n`).join("")}`,
    );
  }
  const current = sections.join("\n");
  assert(sections.length > 1, "no error text was found in src/");

  const file = new URL(KEPT, root);
  if (Deno.env.get("UPDATE") === "1") await Deno.writeTextFile(file, current);
  const kept = await Deno.readTextFile(file).catch(() => "");
  assertEquals(
    current.split("\n"),
    kept.split("\n"),
    `Error texts have changed. Read the difference as a user would; if it is meant, update ${KEPT}: ` +
      "UPDATE=1 deno test -A tests/error_texts_test.ts",
  );
});

Deno.test("errorTexts() reads the texts of errors that are made, and those that helpers pass on", () => {
  const source = String.raw`
    // throw new Error("in a comment")
    /* throw new Error("in another") */
    const text = 'throw new Error("in a string")';
    const pattern = /["'\/]new Error\("in a pattern/;
    const half = whole / 2; // "
    throw new TypeError("Cannot read: " + describe(value) + \`, got \${JSON.stringify(this.#key)}\`);
    throw new AggregateError(errors, \`\${names.map((name) => \`"\${name}"\`).join(", ")} failed\`);
    throw new RangeError(found ? "Cannot find it" : (lost ? \`Cannot lose \${it}\` : ""), { cause });
    function cannot() { return wrap("Cannot help " + "it", cause); }
    class OwnError extends Error { constructor() { super("Cannot own", {}); } }
    throw new OwnError(cause);
    throw new Map([["a", 1]]);
  `.replaceAll("\\`", "`").replaceAll("\\$", "$");
  assertEquals(errorTexts(source), [
    "TypeError: Cannot read: ‹value›, got ‹key›",
    "AggregateError: ‹names› failed",
    "RangeError: ‹Cannot find it | Cannot lose ‹it› | ›",
    "Cannot help it",
    "OwnError: Cannot own",
  ]);
});
