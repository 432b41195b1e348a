/** The architecture of `src/` as lint rules, so that `deno lint` and every editor know it. */
import { clockRule } from "./clock.ts";
import { cyclesRule } from "./cycles.ts";
import { importsRule } from "./imports.ts";
import { silenceRule } from "./silence.ts";

const plugin: Deno.lint.Plugin = {
  name: "slipstream",
  rules: { imports: importsRule, cycles: cyclesRule, clock: clockRule, silence: silenceRule },
};

export default plugin;
