import { assertEquals, assertNotEquals } from "@std/assert";
import { root } from "./_support/examples.ts";

interface Graph {
  modules: { specifier: string }[];
}

Deno.test("The entry . loads no npm package, and runs without any permission", async () => {
  const info = new Deno.Command(Deno.execPath(), { args: ["info", "--json", "mod.ts"], cwd: root });
  const { modules }: Graph = JSON.parse(new TextDecoder().decode((await info.output()).stdout));
  const specifiers = modules.map(({ specifier }) => specifier);
  assertNotEquals(specifiers, []);
  // std itself comes from npm here, by the stand-ins of scripts/std.
  const packages = specifiers.filter((specifier) => specifier.startsWith("npm:"));
  assertEquals(packages.filter((specifier) => !specifier.startsWith("npm:/deno-std@")), []);

  const run = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "mod.ts"],
    cwd: root,
  });
  assertEquals((await run.output()).code, 0);
});
