import { assertEquals } from "@std/assert";
import { root } from "../_support/examples.ts";

Deno.test("observe() keeps no process running whose app has ended, also while somebody looks", async () => {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-net", "-"],
    cwd: root,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(`
    import { App } from "@slipstream/slipstream";
    import { observe } from "@slipstream/slipstream/observe";
    const app = new App();
    const { promise, resolve } = Promise.withResolvers();
    app.handle([1], () => promise, { name: "wait" });
    const server = observe(app, { port: 0 });
    const streaming = app.stream();
    console.log(server.url);
    Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: ({ port }) => console.log(port) }, () => {
      resolve();
      return new Response();
    }).unref();
    await streaming;
  `));
  await writer.close();
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (text.split("\n").length < 3) text += (await reader.read()).value;
  const [url, port] = text.split("\n");
  const status = await fetch(`${url}status`);
  const events = status.text();
  await (await fetch(`http://127.0.0.1:${port}/`)).body?.cancel();
  assertEquals((await process.status).code, 0);
  assertEquals((await events).includes('"state":"ended"'), true);
  await reader.cancel();
});
