import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";

for (const entry of ["mod.ts", "src/kafka/mod.ts", "src/kafka/memory/mod.ts"]) {
  Deno.test(`${entry} says that it runs on Deno only, first thing where there is none`, async () => {
    const url = import.meta.resolve(`../${entry}`);
    const code = `
      const { exit } = Deno;
      await import("node:zlib"); // Deno's own needs Deno
      delete globalThis.Deno;
      await import(${JSON.stringify(url)}).catch((error) => console.log(error.message));
      exit();
    `;
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-check", "--config", "deno.json", code],
    }).output();
    assertEquals(success, true, new TextDecoder().decode(stderr));
    assertStringIncludes(new TextDecoder().decode(stdout), "it needs Deno 2.9 or newer");
  });
}

Deno.test("what says that it runs on Deno only can be evaluated by Node as it is", async () => {
  const text = await Deno.readTextFile(new URL("../src/deno_only.ts", import.meta.url));
  const evaluate = new Function("Deno", text);
  evaluate(Deno);
  assertThrows(() => evaluate(undefined), Error, "runs in neither Node nor Bun");
});
