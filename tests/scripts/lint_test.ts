import { assertEquals, assertThrows } from "@std/assert";
import { allows, layerOf } from "../../scripts/lint/layers.ts";
import plugin from "../../scripts/lint/mod.ts";

function lint(filename: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, filename, source).map((found) => found.message);
}

Deno.test("layerOf() knows files, folders and the interfaces of flow", () => {
  assertEquals(layerOf("clock.ts"), "base");
  assertEquals(layerOf("app.ts"), "app");
  assertEquals(layerOf("flow/source/hub.ts"), "flow");
  assertEquals(layerOf("flow/source/gate.ts"), "interfaces");
  assertEquals(layerOf("kafka/memory/mod.ts"), "kafka");
});

Deno.test("layerOf() throws for a folder that it does not know", () => {
  assertThrows(() => layerOf("misc/a.ts"), RangeError, 'Cannot tell the layer of "src/misc/a.ts"');
});

Deno.test("allows() never lets flow see Kafka, a store, a codec or a checkpoint", () => {
  for (const layer of ["kafka", "cache", "codecs", "checkpoint", "app"] as const) {
    for (const typesOnly of [false, true]) {
      assertEquals(allows("flow", layer, typesOnly), false, layer);
      assertEquals(allows("interfaces", layer, typesOnly), false, layer);
      assertEquals(allows("base", layer, typesOnly), false, layer);
    }
  }
});

Deno.test("imports: reports an import against the direction, in each form", () => {
  const message = "src/flow/source/hub.ts (flow) must not import src/kafka/topic/topic.ts (kafka)";
  for (
    const source of [
      `import { Topic } from "../../kafka/topic/topic.ts";`,
      `import type { Topic } from "../../kafka/topic/topic.ts";`,
      `export { Topic } from "../../kafka/topic/topic.ts";`,
      `export * from "../../kafka/topic/topic.ts";`,
      `await import("../../kafka/topic/topic.ts");`,
      `type T = import("../../kafka/topic/topic.ts").Topic;`,
    ]
  ) assertEquals(lint("/repo/src/flow/source/hub.ts", source), [message], source);
});

Deno.test("imports: lets types.ts know nothing of flow, not even by name", () => {
  const file = "/repo/src/types.ts";
  assertEquals(lint(file, `import type { Merge } from "./flow/source/source.ts";`), [
    "src/types.ts (base) must not import src/flow/source/source.ts (flow)",
  ]);
});

Deno.test("imports: reads Windows paths", () => {
  assertEquals(lint("C:\\repo\\src\\cache\\cache.ts", `import "../flow/source/hub.ts";`), [
    "src/cache/cache.ts (cache) must not import src/flow/source/hub.ts (flow)",
  ]);
});

Deno.test("imports: lets a store import the interfaces of flow, std and its own files", () => {
  const source =
    `import "../flow/source/feed.ts"; import "../errors.ts"; import "@std/text"; import "./keys.ts";`;
  assertEquals(lint("/repo/src/cache/cache.ts", source), []);
});

Deno.test("imports: lets testing import anything", () => {
  assertEquals(lint("/repo/src/testing/mod.ts", `import "../kafka/topic/topic.ts";`), []);
});

Deno.test("imports: reports computed, inline and outside modules", () => {
  assertEquals(lint("/repo/src/app.ts", `await import(name);`), [
    "An import in src/ must name its module literally",
  ]);
  assertEquals(lint("/repo/src/app.ts", `import "npm:kafkajs@2";`), [
    '"npm:kafkajs@2" must be named once, in the imports of deno.json',
  ]);
  assertEquals(lint("/repo/src/app.ts", `import "../mod.ts";`), [
    'src/app.ts must not import "../mod.ts" from outside src/',
  ]);
  assertEquals(lint("/repo/src/app.ts", `import "@slipstream/slipstream";`), [
    'src/app.ts must import "@slipstream/slipstream" by its path',
  ]);
});

Deno.test("imports and clock: say nothing outside src/", () => {
  const source = `import "../src/flow/source/hub.ts"; setTimeout(() => {}, 1); Date.now();`;
  assertEquals(lint("/repo/tests/app_test.ts", source), []);
});

Deno.test("clock: reports each way to the machine's time", () => {
  for (
    const [source, name] of [
      ["setTimeout(f, 1)", "setTimeout"],
      ["globalThis.setInterval(f, 1)", "setInterval"],
      ["const tick = setImmediate", "setImmediate"],
      ["Date.now()", "Date.now"],
      ["const now = performance.now", "performance.now"],
      ["Temporal.Now.instant()", "Temporal.Now"],
      ["new Date()", "new Date()"],
      ["AbortSignal.timeout(1)", "AbortSignal.timeout"],
      [`import { delay } from "@std/async/delay"`, '"@std/async/delay"'],
    ] as const
  ) {
    assertEquals(lint("/repo/src/app.ts", source), [`${name} must not be used in src/app.ts`]);
  }
});

Deno.test("clock: leaves other uses of the names alone", () => {
  for (
    const source of [
      "clock.setTimeout(f, 1)",
      "new Date(0)",
      "x.now()",
      "const options = { setTimeout: 1 }",
    ]
  ) assertEquals(lint("/repo/src/app.ts", source), [], source);
});

Deno.test("clock: leaves the implementations of Clock alone", () => {
  const source = "setTimeout(f, 1); Date.now();";
  assertEquals(lint("/repo/src/clock.ts", source), []);
  assertEquals(lint("/repo/src/testing/manual_clock.ts", source), []);
});

Deno.test("silence: reports console in src/ only", () => {
  const source = `console.log("a");`;
  assertEquals(lint("/repo/src/app.ts", source), ["console must not be used in src/app.ts"]);
  assertEquals(lint("/repo/examples/hello.ts", source), []);
});

/** Writes files below a folder `src/`, and returns what the plugin says about cycles in each. */
async function cyclesIn(files: Record<string, string>): Promise<Record<string, string[]>> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, source] of Object.entries(files)) {
      const path = `${folder}/src/flow/${name}`;
      await Deno.mkdir(path.replace(/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(path, source);
    }
    const found = Object.entries(files).map(([name, source]) =>
      [
        name,
        lint(`${folder}/src/flow/${name}`, source).filter((text) => text.startsWith("Files must")),
      ] as const
    );
    return Object.fromEntries(found);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("cycles: reports the whole way, in each file of it and in each form of import", async () => {
  const way = (names: string) =>
    "Files must not import each other: " +
    names.split(" ").map((name) => `src/flow/${name}.ts`).join(" → ");
  assertEquals(
    await cyclesIn({
      "a.ts": `import { b } from "./b.ts";`,
      "b.ts": `export type { c } from "./run/c.ts";`,
      "run/c.ts": `import type {\n  A,\n} from "../a.ts";`,
    }),
    {
      "a.ts": [way("a b run/c a")],
      "b.ts": [way("b run/c a b")],
      "run/c.ts": [way("run/c a b run/c")],
    },
  );
  assertEquals(
    await cyclesIn({
      "a.ts": `const b = await import("./b.ts");`,
      "b.ts": `export * from "./a.ts";`,
    }),
    { "a.ts": [way("a b a")], "b.ts": [way("b a b")] },
  );
  assertEquals(
    await cyclesIn({
      "a.ts": `export type A = import("./b.ts").B;`,
      "b.ts": `const a: typeof import("./a.ts") | undefined = undefined;`,
    }),
    { "a.ts": [way("a b a")], "b.ts": [way("b a b")] },
  );
  assertEquals(await cyclesIn({ "a.ts": `import "./a.ts";` }), { "a.ts": [way("a a")] });
});

Deno.test("cycles: says nothing of files that import each other in comments only, or lead to a cycle", async () => {
  const found = await cyclesIn({
    "a.ts": `import { b } from "./b.ts";`,
    "b.ts": `/* import { a } from "./a.ts"; */\n// import "./a.ts";\nimport "./missing.ts";\n` +
      `export class A {\n  readonly url = new URL("./a.ts", import.meta.url);\n}`,
    "c.ts": `import "./d.ts";`,
    "d.ts": `import "./e.ts";`,
    "e.ts": `import "./d.ts";`,
  });
  assertEquals([found["a.ts"], found["b.ts"], found["c.ts"]], [[], [], []]);
  assertEquals(found["d.ts"]!.length, 1);
});
