import { assertEquals, assertStringIncludes } from "@std/assert";

const MOD = new URL("../../mod.ts", import.meta.url).href;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

/** Runs a script as a process of its own; `onReady` is called when it has printed "ready". */
async function run(script: string, onReady: (child: Deno.ChildProcess) => void) {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, `import { App } from ${JSON.stringify(MOD)};\n${script}`);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", `--config=${CONFIG}`, file],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let output = "";
  const errors = new Response(child.stderr).text();
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    if (!output.includes("ready") && (output + text).includes("ready")) onReady(child);
    if (!output.includes("again") && (output + text).includes("again")) onReady(child);
    output += text;
  }
  const { code } = await child.status;
  await Deno.remove(file);
  return { output, code, errors: await errors };
}

const NEVER_WAITS = `
const app = new App();
let handled = 0;
app.handle((function* () { for (;;) yield 1; })(), () => {
  if (++handled === 1000) console.log("ready");
});
app.handle(["slow"], async () => {
  await new Promise((resolve) => setTimeout(resolve, 300));
  console.log("finished");
});
app.onExit(() => console.log("exit hook"));
await app.stream();
console.log("ended");
`;

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test({
    name: `App.stream() ends on ${signal} beside a flow that never waits, in a process of its own`,
    ignore: Deno.build.os === "windows",
    async fn() {
      const { output, code, errors } = await run(NEVER_WAITS, (child) => child.kill(signal));
      assertEquals(errors, "");
      assertEquals(output, "ready\nfinished\nexit hook\nended\n");
      assertEquals(code, 0);
    },
  });
}

Deno.test({
  name: "App.stream() ends at once on a second signal, in a process of its own",
  ignore: Deno.build.os === "windows",
  async fn() {
    const script = `
const app = new App();
app.handle(["stuck"], (_, { stopping }) => {
  stopping.addEventListener("abort", () => console.log("again"));
  console.log("ready");
  return new Promise(() => {});
});
app.onExit(() => console.log("exit hook"));
await app.stream();
`;
    const { output, code, errors } = await run(script, (child) => child.kill("SIGTERM"));
    assertEquals(output, "ready\nagain\n");
    assertStringIncludes(errors, "DrainError: Cannot finish what is under way: a second signal");
    assertEquals(code, 1);
  },
});

Deno.test({
  name:
    "App.stream() that its signal has stopped finishes what is in flight when one OS signal arrives",
  ignore: Deno.build.os === "windows",
  async fn() {
    const script = `
const stop = new AbortController();
Deno.addSignalListener("SIGTERM", () => stop.abort());
const app = new App();
app.handle(["slow"], async (_, { stopping }) => {
  console.log("ready");
  if (!stopping.aborted) await new Promise((resolve) => stopping.onabort = resolve);
  await new Promise((resolve) => setTimeout(resolve, 300));
  console.log("finished");
});
await app.stream({ signal: stop.signal });
console.log("ended");
Deno.exit(0); // the listener would keep the process
`;
    const { output, code, errors } = await run(script, (child) => child.kill("SIGTERM"));
    assertEquals([output, errors, code], ["ready\nfinished\nended\n", "", 0]);
  },
});
