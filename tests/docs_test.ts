/** The documents name files and functions of the repository: those must be there. */
import { assertEquals, assertNotEquals } from "@std/assert";
import { root } from "./_support/examples.ts";

/** The documents that explain the code, with their addresses. */
async function documents(): Promise<[URL, string][]> {
  const found = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];
  for await (const { name } of Deno.readDir(new URL("docs/", root))) {
    if (name.endsWith(".md")) found.push(`docs/${name}`);
  }
  const urls = found.map((path) => new URL(path, root));
  return await Promise.all(
    urls.map(async (url): Promise<[URL, string]> => [url, await Deno.readTextFile(url)]),
  );
}

async function isThere(url: URL): Promise<boolean> {
  return await Deno.stat(url).then(() => true, () => false);
}

/** Returns whether `source` declares `#name` or `name` as a function, a method or a getter. */
function declares(source: string, name: string): boolean {
  const declaration = `^\\s*(?:export |async |function |get )*${name}(?:<[^>]*>)?\\(`;
  return new RegExp(declaration, "m").test(source);
}

Deno.test("The documents link to files that exist", async () => {
  const missing: string[] = [];
  let links = 0;
  for (const [document, text] of await documents()) {
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(?:[a-z]+:|#)/.test(target!)) continue;
      links++;
      if (!(await isThere(new URL(target!, document)))) missing.push(`${document}: ${target}`);
    }
  }
  assertEquals(missing, []);
  assertNotEquals(links, 0);
});

Deno.test("The documents name functions behind a link that the linked file declares", async () => {
  const missing: string[] = [];
  let names = 0;
  for (const [document, text] of await documents()) {
    for (const [, target, list] of text.matchAll(/\]\((\S+\.ts)\)((?:,?\s+`#?\w+\(\)`)+)/g)) {
      const source = await Deno.readTextFile(new URL(target!, document));
      for (const [, name] of list!.matchAll(/`(#?\w+)\(\)`/g)) {
        names++;
        if (!declares(source, name!)) missing.push(`${document}: ${name}() of ${target}`);
      }
    }
  }
  assertEquals(missing, []);
  assertNotEquals(names, 0);
});

Deno.test("ARCHITECTURE.md has rows of files and folders that exist", async () => {
  const text = await Deno.readTextFile(new URL("ARCHITECTURE.md", root));
  const [, table] = /^\| file in `src\/`.*\n\|[ -|]+\n((?:\|.*\n)+)/m.exec(text) ?? [];
  const missing: string[] = [];
  for (const row of table!.trim().split("\n")) {
    const [, cell] = row.split("|");
    const paths = [...cell!.matchAll(/`([^`]+)`/g)].map(([, path]) => path!);
    const folder = new URL(`src/${paths[0]!.replace(/[^/]*$/, "")}`, root);
    for (const path of paths) {
      if (path.includes("*")) continue;
      const inSource = await isThere(new URL(`src/${path}`, root));
      if (!inSource && !(await isThere(new URL(path, folder)))) missing.push(path);
    }
  }
  assertEquals(missing, []);
});
