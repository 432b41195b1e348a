/**
 * Counts and sums by key: from a topic, in a Cache with exact state, to a topic.
 *
 * On Kafka with `KAFKA_BROKERS=host:port`, else on an embedded broker.
 *
 * ```sh
 * deno run --allow-env --allow-net --allow-sys --allow-read --allow-write examples/aggregate.ts
 * ```
 *
 * ```text
 * ann { n: 1, sum: 5 }
 * bob { n: 1, sum: 1 }
 * ann { n: 2, sum: 7 }
 * ```
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { App, Cache, JsonCodec } from "@slipstream/slipstream";
import { Topic } from "@slipstream/slipstream/kafka";
import { chooseBroker } from "./broker.ts";

interface Totals {
  n: number;
  sum: number;
}

const folder = await Deno.makeTempDir();
const topic = { ...chooseBroker(), offset: "earliest" } as const;
{
  await using orders = new Topic("orders", {
    ...topic,
    groupId: "totals",
    codec: new JsonCodec<{ price: number }>(),
  });
  await using results = new Topic("totals", {
    ...topic,
    groupId: "demo",
    codec: new JsonCodec<Totals>(),
  });
  await using totals = await Cache.open<Totals>(`${folder}/totals`, { maxBytes: Infinity });
  await orders.send({ key: "ann", value: { price: 5 } });
  await orders.send({ key: "bob", value: { price: 1 } });
  await orders.send({ key: "ann", value: { price: 2 } });

  const app = new App();
  app.handle(
    orders,
    totals.aggregate(({ n, sum } = { n: 0, sum: 0 }, { value }) => ({
      n: n + 1,
      sum: sum + value.price,
    })),
    { name: "totals", state: totals, sink: results },
  );
  const streaming = app.stream();
  for await (const { key, value } of results) {
    console.log(key, value);
    if (value.sum === 7) break;
  }
  await app.close();
  await streaming;
}
await Deno.remove(folder, { recursive: true });
