import { pathInSource } from "./layers.ts";

/** Reports `console` in `src/`: the library prints nothing, whoever wants to know observes it. */
export const silenceRule: Deno.lint.Rule = {
  create(context) {
    const path = pathInSource(context.filename);
    if (path === undefined) return {};
    return {
      MemberExpression(node) {
        if (node.object.type !== "Identifier" || node.object.name !== "console") return;
        context.report({ node, message: `console must not be used in src/${path}` });
      },
    };
  },
};
