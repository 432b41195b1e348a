import { dirname, join, resolve } from "node:path";
import { moduleOfType } from "./layers.ts";

/** The files that a file imports, and when it was changed. */
interface Imports {
  readonly changed: number;
  readonly files: readonly string[];
}

const IMPORT =
  /^\s*(?:import\s*|(?:import|export)\b[^"';]*?\bfrom\s*)["'](\.{1,2}\/[^"']+)["']|\bimport\(\s*["'](\.{1,2}\/[^"']+)["']/gm;
const COMMENT = /\/\*[^]*?\*\/|(?<=^|\s)\/\/.*$/gm;

/** The folders without cycles; the path of a file in them. */
const ROOMS = /[/\\]((?:src|scripts)[/\\].+)$/;

const known = new Map<string, Imports>();

/** Returns what a file imports by a path, `import type` and `export … from` too; nothing where it is not there. */
function importsOf(file: string): readonly string[] {
  let changed: number;
  try {
    changed = Deno.statSync(file).mtime?.getTime() ?? 0;
  } catch {
    return [];
  }
  const before = known.get(file);
  if (before?.changed === changed) return before.files;
  const files = importsIn(file, Deno.readTextFileSync(file));
  known.set(file, { changed, files });
  return files;
}

function importsIn(file: string, source: string): readonly string[] {
  const code = source.replace(COMMENT, "");
  return [...code.matchAll(IMPORT)].map(([, path, called]) =>
    resolve(dirname(file), (path ?? called)!)
  );
}

/** Returns a shortest way by imports from `file` over `from` back to `file`; undefined when there is none. */
function wayBack(file: string, from: string): string[] | undefined {
  const cameFrom = new Map<string, string>([[from, file]]);
  for (const at of cameFrom.keys()) {
    if (at === file) break;
    for (const next of importsOf(at)) if (!cameFrom.has(next)) cameFrom.set(next, at);
  }
  if (!cameFrom.has(file)) return undefined;
  const way = [file];
  for (let at = cameFrom.get(file)!; at !== file; at = cameFrom.get(at)!) way.unshift(at);
  return [file, ...way];
}

/** Refuses an import that leads back to the file it is in, `import type` too: such files can only be read together. */
export const cyclesRule: Deno.lint.Rule = {
  create(context) {
    const file = resolve(context.filename);
    if (!ROOMS.test(file)) return {};
    const report = (node: Deno.lint.Node, path: unknown) => {
      if (typeof path !== "string" || !path.startsWith(".")) return;
      const way = wayBack(file, join(dirname(file), path));
      if (way === undefined) return;
      const names = way.map((each) => ROOMS.exec(each)?.[1] ?? each);
      context.report({ node, message: `Files must not import each other: ${names.join(" → ")}` });
    };
    const check = (
      node: { readonly source?: { readonly value?: unknown } | null } & Deno.lint.Node,
    ) => report(node, node.source?.value);
    return {
      TSImportType: (node) => report(node, moduleOfType(node)),
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
    };
  },
};
