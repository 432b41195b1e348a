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

Deno.test("ARCHITECTURE.md names files that exist", async () => {
  const text = await Deno.readTextFile(new URL("ARCHITECTURE.md", root));
  const rows = (heading: string) => {
    const [, table] =
      new RegExp(`^\\| ${heading}.*\\n\\|[ -|]+\\n((?:\\|.*\\n)+)`, "m").exec(text) ?? [];
    return table!.trim().split("\n").map((row) =>
      row.split("|").map((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, path]) => path!))
    );
  };
  const missing: string[] = [];
  for (const [, folders, , files] of rows("folder in `src/`")) {
    const [folder] = folders!;
    for (const file of files!) {
      if (!(await isThere(new URL(`src/${folder}/${file}`, root)))) {
        missing.push(`${folder}${file}`);
      }
    }
  }
  for (const [, , paths] of rows("to …")) {
    let folder = root;
    for (const path of paths!.filter((path) => path.endsWith(".ts") && !path.includes("*"))) {
      const url = [new URL(`src/${path}`, root), new URL(path, folder), new URL(path, root)];
      const [found] = await Promise.all(url.map(isThere)).then((there) =>
        url.filter((_, i) => there[i])
      );
      if (found === undefined) missing.push(path);
      else folder = new URL(".", found);
    }
  }
  assertEquals(missing, []);
});

Deno.test("ARCHITECTURE.md has a row for every folder of src/ with two files or more", async () => {
  const text = await Deno.readTextFile(new URL("ARCHITECTURE.md", root));
  const missing: string[] = [];
  const visit = async (folder: string) => {
    let files = 0;
    for await (const { name, isDirectory } of Deno.readDir(new URL(`src/${folder}`, root))) {
      if (isDirectory) await visit(`${folder}${name}/`);
      else files++;
    }
    if (files > 1 && folder !== "" && !text.includes(`| \`${folder}\``)) missing.push(folder);
  };
  await visit("");
  assertEquals(missing, []);
});

Deno.test("tests/ has the folders of src/, and those that CONTRIBUTING.md names", async () => {
  const folders = async (path: string) => {
    const found: string[] = [];
    for await (const { name, isDirectory } of Deno.readDir(new URL(path, root))) {
      if (isDirectory && !name.startsWith("_")) found.push(name);
    }
    return found;
  };
  const known = [...await folders("src/"), "delivery", "integration", "examples", "scripts"];
  assertEquals((await folders("tests/")).filter((name) => !known.includes(name)), []);
});
