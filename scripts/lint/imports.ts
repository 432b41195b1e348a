import { allows, layerOf, moduleOfType, pathInSource } from "./layers.ts";

/** Reports imports in `src/` that point against the direction of the layers. */
export const importsRule: Deno.lint.Rule = {
  create(context) {
    const path = pathInSource(context.filename);
    if (path === undefined) return {};

    const check = (node: Deno.lint.Node, specifier: unknown, typesOnly = false) => {
      if (typeof specifier !== "string") return;
      const problem = problemOf(path, specifier, typesOnly);
      if (problem !== undefined) context.report({ node, message: problem });
    };
    return {
      ImportDeclaration: (node) => check(node, node.source.value, node.importKind === "type"),
      ExportAllDeclaration: (node) => check(node, node.source.value, node.exportKind === "type"),
      ExportNamedDeclaration: (node) => check(node, node.source?.value, node.exportKind === "type"),
      TSImportType: (node) => check(node, moduleOfType(node), true),
      ImportExpression(node) {
        if (node.source.type === "Literal") check(node, node.source.value);
        else context.report({ node, message: "An import in src/ must name its module literally" });
      },
    };
  },
};

function problemOf(path: string, specifier: string, typesOnly: boolean): string | undefined {
  if (specifier.startsWith("@slipstream/slipstream")) {
    return `src/${path} must import "${specifier}" by its path`;
  }
  if (/^(?:npm|jsr|https?):/.test(specifier)) {
    return `"${specifier}" must be named once, in the imports of deno.json`;
  }
  if (!specifier.startsWith(".")) return undefined;

  const target = pathInSource(new URL(specifier, `file:///src/${path}`).pathname);
  if (target === undefined) return `src/${path} must not import "${specifier}" from outside src/`;
  const from = layerOf(path);
  const to = layerOf(target);
  return allows(from, to, typesOnly)
    ? undefined
    : `src/${path} (${from}) must not import src/${target} (${to})`;
}
