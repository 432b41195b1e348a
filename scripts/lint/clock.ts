import { pathInSource } from "./layers.ts";

const timers = ["setTimeout", "setInterval", "setImmediate", "clearTimeout", "clearInterval"];
const clocks = ["Date.now", "performance.now", "Temporal.Now", "AbortSignal.timeout"];
const modules = ["@std/async/delay", "@std/async/deadline", "node:timers", "node:timers/promises"];

/** The two implementations of `Clock`. */
const implementations = ["clock.ts", "testing/manual_clock.ts"];
/** What runs in a browser. */
const browser = "observe/page/";

const hint = "Take a Clock from src/clock.ts, so that tests can move the time";

/** Reports code in `src/` that reads the time or sets a timer other than through `src/clock.ts`. */
export const clockRule: Deno.lint.Rule = {
  create(context) {
    const path = pathInSource(context.filename);
    if (path === undefined || implementations.includes(path) || path.startsWith(browser)) return {};

    const report = (node: Deno.lint.Node, name: string) =>
      context.report({ node, message: `${name} must not be used in src/${path}`, hint });
    return {
      Identifier(node) {
        if (timers.includes(node.name) && isReference(node)) report(node, node.name);
      },
      MemberExpression(node) {
        if (node.object.type !== "Identifier" || node.property.type !== "Identifier") return;
        const name = `${node.object.name}.${node.property.name}`;
        if (clocks.includes(name)) report(node, name);
      },
      NewExpression(node) {
        if (node.callee.type !== "Identifier" || node.callee.name !== "Date") return;
        if (node.arguments.length === 0) report(node, "new Date()");
      },
      ImportDeclaration(node) {
        if (modules.includes(node.source.value)) report(node, `"${node.source.value}"`);
      },
    };
  },
};

/** True for `setTimeout` and `globalThis.setTimeout`, false for `mine.setTimeout` and `{ setTimeout: … }`. */
function isReference(node: Deno.lint.Identifier): boolean {
  const { parent } = node;
  if (parent.type === "MemberExpression" && parent.property === node && !parent.computed) {
    return parent.object.type === "Identifier" && parent.object.name === "globalThis";
  }
  return !(parent.type === "Property" && parent.key === node && parent.value !== node);
}
