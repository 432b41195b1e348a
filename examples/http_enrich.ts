/**
 * Earthquakes (USGS, 31 January to 7 February 2018), each enriched by a request to an HTTP server: one after the
 * other, by partition, and by key with up to 64 requests at a time.
 *
 * - The server runs in this process. It answers after 20 ms, and one message in 20 gets a 503 at first, so the flow
 *   tries again.
 * - The topic has four partitions, on an embedded broker. The id of an earthquake is its key, and 300 of them come
 *   twice: their results must keep their order.
 *
 * The argument is how many messages to send, at most 2,000.
 *
 * ```sh
 * deno run --allow-net=127.0.0.1 examples/http_enrich.ts 2000
 * ```
 *
 * Prints, with other times on another machine:
 *
 * ```text
 * 2000 messages, 100 requests failed at first
 * one after the other  51.4 s
 * by partition         13.1 s
 * by key                1.4 s
 * the results are the same
 * ```
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { App, type ConcurrencyOptions, JsonCodec, retry } from "@slipstream/slipstream";
import { Topic } from "@slipstream/slipstream/kafka";
import { MemoryBroker } from "@slipstream/slipstream/memory";
import { delay } from "@std/async/delay";
import data from "vega-datasets/data/earthquakes.json" with { type: "json" };

interface Quake {
  /** Counts the messages. */
  n: number;
  magnitude: number;
}

/** The results of each earthquake, in the order in which they came. */
type Results = Map<string, string[]>;

const PARTITIONS = 4;
const ANSWER_MS = 20;
const FAILS_ONE_IN = 20;
const MOST = 2_000;

const [argument = String(MOST)] = Deno.args;
const count = Number(argument);
if (!(Number.isSafeInteger(count) && count > 0 && count <= MOST)) {
  throw new RangeError(`Cannot send "${argument}" messages: use a whole number from 1 to ${MOST}`);
}
const quakes = data.features
  .toSorted((a, b) => a.properties.time - b.properties.time)
  .slice(0, Math.ceil(0.85 * count)); // the first ones come twice

await using broker = new MemoryBroker();
await broker.ensure("earthquakes", { partitions: PARTITIONS });
{
  await using topic = new Topic("earthquakes", { broker, codec: new JsonCodec<Quake>() });
  for (let n = 0; n < count; n++) {
    const { id, properties: { mag } } = quakes[n % quakes.length]!;
    await topic.send({ key: id, value: { n, magnitude: mag } });
  }
}

/** Serves the energy that an earthquake of a magnitude sets free (Gutenberg and Richter), in joules. */
function serveEnergy(): { url: string; failed: Set<string> } & AsyncDisposable {
  const failed = new Set<string>();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async ({ url }) => {
      const query = new URL(url).searchParams;
      const n = query.get("n")!;
      await delay(ANSWER_MS);
      if (Number(n) % FAILS_ONE_IN === 0 && !failed.has(n)) {
        failed.add(n);
        return new Response("too many requests at once", { status: 503 });
      }
      return Response.json({ joules: 10 ** (1.5 * Number(query.get("magnitude")) + 4.8) });
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}/`,
    failed,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Enriches all messages, and returns the results, how long it took, and how many requests failed at first. */
async function enrich(groupId: string, concurrency?: ConcurrencyOptions) {
  await using server = serveEnergy();
  await using topic = new Topic("earthquakes", {
    broker,
    groupId,
    offset: "earliest",
    keys: "required",
    codec: new JsonCodec<Quake>(),
  });
  const results: Results = new Map();
  let done = 0;

  const app = new App();
  app.handle(topic, async ({ key, value: { n, magnitude } }, { signal }) => {
    const response = await fetch(`${server.url}?n=${n}&magnitude=${magnitude}`, { signal });
    if (!response.ok) {
      await response.body?.cancel();
      throw new Error(`the server answered ${response.status}`);
    }
    const { joules } = await response.json() as { joules: number };
    return { key, text: `${n}: ${joules.toPrecision(3)} J` };
  }, {
    name: "enrich",
    concurrency,
    onError: retry({ attempts: 3, minDelay: 10 }),
    sink: ({ key, text }) => {
      results.getOrInsertComputed(key, () => []).push(text);
      if (++done === count) void app.close();
    },
  });
  const started = performance.now();
  await app.stream();
  return { results, seconds: (performance.now() - started) / 1_000, failed: server.failed.size };
}

/** Returns whether each earthquake has the same results, in the same order. */
function areSame(results: Results, others: Results): boolean {
  const isSame = ([id, texts]: [string, string[]]) => texts.join() === others.get(id)?.join();
  return results.size === others.size && results.entries().every(isSame);
}

const ways: [name: string, concurrency: ConcurrencyOptions | undefined][] = [
  ["one after the other", undefined],
  // A Topic fetches a partition in chunks: the look-ahead must reach past one to the other partitions.
  ["by partition", { max: PARTITIONS, by: "partition" }],
  ["by key", { max: 64 }], // by: "key" is the default of a Topic
];
let first: Results | undefined;
for (const [name, concurrency] of ways) {
  const { results, seconds, failed } = await enrich(name, concurrency);
  if (first === undefined) console.log(`${count} messages, ${failed} requests failed at first`);
  console.log(`${name.padEnd(20)} ${seconds.toFixed(1).padStart(4)} s`);
  first ??= results;
  if (!areSame(results, first)) throw new Error(`the results are others ${name}`);
}
console.log("the results are the same");
