/**
 * Health for an orchestrator: `/live` says whether a restart would help, `/ready` whether the app can do its work.
 * Both tell why. Here they are asked while the app comes up, while it is paused, and when a handler is stuck.
 *
 * In a service `observe(app)` serves them at a port of their own; here a server that is there already does, below
 * `/ops`.
 *
 * ```sh
 * deno run --allow-net examples/health.ts
 * ```
 *
 * ```text
 * before the start  live 200  ready 503: the app is idle
 * streaming         live 200  ready 200: is read
 * paused            live 200  ready 200: paused: stocktaking
 * stuck             live 503: no progress for 1 s at position 0, lag 1
 * after the end     live 200  ready 503: the app is ended
 * ```
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { App } from "@slipstream/slipstream";
import { Topic } from "@slipstream/slipstream/kafka";
import { MemoryBroker } from "@slipstream/slipstream/memory";
import { observer } from "@slipstream/slipstream/observe";

await using broker = new MemoryBroker();
await using orders = new Topic("orders", { broker, groupId: "shop", offset: "earliest" });
await orders.ensure();

const app = new App();
const stuck = Promise.withResolvers<void>();
app.handle(orders, () => stuck.promise, { name: "ship" });

using ops = observer(app, { path: "/ops", stalledAfter: { milliseconds: 500 } });
await using server = Deno.serve(
  { port: 0, hostname: "127.0.0.1", onListen: () => {} },
  (request) => {
    if (new URL(request.url).pathname.startsWith("/ops/")) return ops.fetch(request);
    return new Response("the service itself\n");
  },
);

interface Health {
  readonly ok: boolean;
  readonly checks: readonly { readonly ok: boolean; readonly reason: string }[];
}

async function probe(name: string): Promise<{ status: number; reason: string }> {
  const response = await fetch(`http://127.0.0.1:${server.addr.port}/ops/${name}`);
  const { checks } = await response.json() as Health;
  const { reason } = checks.find(({ ok }) => !ok) ?? checks.at(-1)!;
  return { status: response.status, reason };
}

async function show(when: string): Promise<void> {
  const [live, ready] = [await probe("live"), await probe("ready")];
  console.log(`${when.padEnd(18)}live ${live.status}  ready ${ready.status}: ${ready.reason}`);
}

await show("before the start");
const streaming = app.stream();
while (app.snapshot().state !== "streaming") await new Promise((done) => setTimeout(done, 10));
await show("streaming");

app.pause(orders, "stocktaking");
await show("paused");
app.resume(orders, "stocktaking");

await orders.send({ value: "a parcel" });
let live = await probe("live");
while (live.status === 200) {
  await new Promise((done) => setTimeout(done, 50));
  live = await probe("live");
}
console.log(`${"stuck".padEnd(18)}live ${live.status}: ${live.reason.replace(/\d+ m?s/, "1 s")}`);

stuck.resolve();
await app.close();
await streaming;
await show("after the end");
