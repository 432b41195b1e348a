/**
 * A small shop to look at: orders from a Topic are priced with the rates of a feed that dies every now and then, and
 * counted by the hour; orders that nobody can read become dead letters.
 *
 * A second is half an hour of the shop. The rates die for ten seconds of every thirty. The checkpoint finds out and
 * pauses the orders; when the rates have caught up, it corrects the prices that were made with old rates.
 *
 * Open the page that it names. It runs until Ctrl-C, or for as many seconds as the first argument says; the second
 * argument is the port. Everything runs in this process, the broker too.
 *
 * ```sh
 * deno run --allow-net examples/dashboard.ts 2
 * ```
 *
 * ```text
 * Look at http://127.0.0.1:9464/
 * ```
 *
 * @module
 */
import {
  App,
  BytesCodec,
  Checkpoint,
  deadLetter,
  Dependency,
  MemoryCache,
} from "@slipstream/slipstream";
import { Topic } from "@slipstream/slipstream/kafka";
import { MemoryBroker } from "@slipstream/slipstream/memory";
import { observe } from "@slipstream/slipstream/observe";
import { count, tumbling } from "@slipstream/slipstream/windows";
import { delay } from "@std/async/delay";

interface Rate {
  readonly time: number;
  readonly rate: number;
}

interface Order {
  readonly time: number;
  readonly dollars: number;
}

const [seconds = "Infinity", port = "9464"] = Deno.args;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** How often something is sent, and how much time of the shop that is. */
const TICK_MS = 50;
const SHOP_TICK = 90_000;
const PARTITIONS = 3;
const well = (tick: number): boolean =>
  tick * TICK_MS % 30_000 < 10_000 || tick * TICK_MS % 30_000 >= 20_000;

await using broker = new MemoryBroker({ partitions: PARTITIONS });
const options = { broker, groupId: "shop", offset: "earliest" } as const;
await using rates = new Topic("rates", { ...options });
await using orders = new Topic("orders", { ...options });
await using failedOrders = new Topic("failed-orders", { broker, codec: new BytesCodec() });
await rates.ensure({ partitions: 1 });
await orders.ensure({ partitions: PARTITIONS });

/** Everything of one instant: rates, prices, hours, the windows that are open, the checkpoint. */
await using state = new MemoryCache<unknown>({ maxBytes: Infinity });
const unbounded = { maxBytes: Infinity };
const rateAt = state.space<number>("rates", unbounded);
const prices = state.space<number>("prices", unbounded);
const hours = state.space<number>("hours", unbounded);

const checkpoint = new Checkpoint("priced", {
  dependent: orders,
  dependencies: [new Dependency("rates", rates, { downtimeThreshold: { hours: 1 } })],
  correct: true,
  cache: state,
  maxAhead: Infinity,
});

const app = new App({ onError: deadLetter(failedOrders) });

app.handle(rates, async ({ value }) => {
  const { time, rate } = JSON.parse(value) as Rate;
  await checkpoint.heartbeat(time);
  return [time, rate] as const;
}, { name: "keep rates", sink: rateAt, state });

app.handle(orders, async ({ value, partition, offset }) => {
  const { time, dollars } = JSON.parse(value) as Order;
  await checkpoint.checkPulse(time);
  const [rate = 1] = await Array.fromAsync(rateAt.values({ to: time, reverse: true, limit: 1 }));
  return [[partition, offset], dollars * rate] as const;
}, { name: "price", sink: prices, state });

app.handle(
  orders,
  tumbling({
    size: { hours: 1 },
    by: () => "all",
    time: ({ value }: { value: string }) => (JSON.parse(value) as Order).time,
    maxAhead: Infinity, // the time of the shop is not that of the clock
    idle: "hold",
    into: count(),
  }),
  ({ id, value }) => [id, value] as const,
  { name: "count by the hour", sink: hours, state, replays: "skip" },
);

/** Sends what happens in the shop. */
async function trade(signal: AbortSignal): Promise<void> {
  const opened = Date.now() - 12 * HOUR;
  const missed: Rate[] = [];
  for (let tick = 0; !signal.aborted; tick++) {
    const time = opened + tick * SHOP_TICK;
    missed.push({ time, rate: 0.9 + Math.sin(time / (6 * HOUR)) / 20 });
    if (well(tick)) {
      for (const rate of missed.splice(0)) await rates.send({ value: JSON.stringify(rate) });
    }
    const order = JSON.stringify({ time: time - 10 * MINUTE, dollars: 1 + tick % 100 });
    const value = tick % 97 === 96 ? order.slice(1) : order; // now and then one that nobody can read
    await orders.send({ value, partition: tick % PARTITIONS });
    await delay(TICK_MS, { signal }).catch(() => {});
  }
}

const stop = new AbortController();
const later = seconds === "Infinity"
  ? undefined
  : setTimeout(() => stop.abort(), Number(seconds) * 1_000);
await using server = observe(app, { port: Number(port) });
console.log(`Look at ${server.url}`);
const trading = trade(AbortSignal.any([stop.signal]));
await app.stream({ signal: stop.signal });
clearTimeout(later);
stop.abort();
await trading;
