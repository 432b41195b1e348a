import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { AvroCodec } from "@slipstream/slipstream/avro";
import { FastAvro, pythonMissing } from "./fastavro.ts";
import { orderArbitrary, orderSchema } from "./order.ts";

const schemaPath = `${import.meta.dirname}/interchange.avsc`;
const codec = new AvroCodec<Record<string, unknown>>(orderSchema);

/** The orders of interchange.py. */
const first = {
  id: 2n ** 63n - 1n,
  customer: "Zoë 🏆",
  status: "PAID",
  lines: [
    { sku: "a", count: -3, price: 0.1, weight: 0.5, gift: true },
    { sku: "", count: 1, price: -Infinity, weight: -2, gift: false },
  ],
  stock: { x: -(2n ** 63n), y: 2n ** 53n + 1n, constructor: 0 },
  labels: { l: ["NEW", "SHIPPED"], "": [] },
  digest: new Uint8Array([0, 1, 254, 255]),
  blob: new Uint8Array(),
  note: { sku: "n", count: 2, price: 1, weight: 1, gift: false },
  day: new Date("1969-12-31T00:00:00Z"),
  createdMs: new Date("2026-11-21T01:02:03.004Z"),
  createdUs: Temporal.Instant.from("1969-12-31T23:59:59.999999Z"),
  shipped: new Date("2026-11-22T00:00:00Z"),
  previous: null,
  source: "shop",
};
const second = {
  id: -1,
  customer: null,
  status: "NEW",
  lines: [],
  stock: {},
  labels: {},
  digest: new TextEncoder().encode("abcd"),
  blob: new Uint8Array(300).fill(255),
  note: [1, -2, 3],
  day: new Date("2026-11-21T00:00:00Z"),
  createdMs: new Date(0),
  createdUs: Temporal.Instant.fromEpochMilliseconds(0),
  shipped: null,
  previous: first,
  source: "web",
};

/** Instants have no fields that could be compared. */
function comparable(order: unknown): unknown {
  return JSON.parse(JSON.stringify(
    order,
    (_key, value) => typeof value === "bigint" || value === -Infinity ? String(value) : value,
  ));
}

const reason = pythonMissing();
const title = (name: string) => reason === undefined ? name : `${name} (ignored: ${reason})`;
const test = (name: string, fn: (python: FastAvro) => Promise<void>) =>
  Deno.test({
    name: title(name),
    ignore: reason !== undefined,
    fn: async () => await fn(await fastavro),
  });

let fastavro: Promise<FastAvro>;
if (reason === undefined) {
  Deno.test.beforeAll(async () => {
    fastavro = FastAvro.install(schemaPath);
    await fastavro;
  });
  Deno.test.afterAll(async () => await (await fastavro)[Symbol.asyncDispose]());
}

test("AvroCodec.decode() reads what Python's fastavro writes", async (python) => {
  const orders = (await python.run("write")).map((line) => codec.decode(Uint8Array.fromHex(line)));
  const partial = { ...second, customer: null, previous: null, source: "web" };
  assertEquals(orders.map(comparable), [first, second, partial].map(comparable));
});

test("AvroCodec.encode() writes what Python's fastavro reads, and the same bytes", async (python) => {
  const written = [first, second].map((order) => codec.encode(order).toHex());
  assertEquals(await python.run("check", written), ["same"]);
  assertEquals((await python.run("write")).slice(0, 2), written);
});

test("AvroCodec and Python's fastavro agree on the bytes of generated orders", async (python) => {
  const orders = fc.sample(orderArbitrary, 300);
  const written = orders.map((order) => codec.encode(order).toHex());
  assertEquals(await python.run("echo", written), written);
});

test("AvroCodec and Python's fastavro resolve a reader's schema alike", async (python) => {
  const readerSchema = JSON.stringify({
    type: "record",
    name: "Order",
    namespace: "shop",
    fields: [
      { name: "from", type: "string", aliases: ["source"] },
      {
        name: "state",
        aliases: ["status"],
        type: { type: "enum", name: "Status", symbols: ["NEW", "PAID", "SHIPPED", "LOST"] },
      },
      { name: "priority", type: ["int", "null"], default: 5 },
      { name: "tags", type: { type: "map", values: "string" }, default: { a: "b" } },
    ],
  });
  const codec = new AvroCodec(orderSchema, { readerSchema });
  const written = [first, second].map((order) => codec.encode(order));
  const resolved = await python.run("resolve", written.map((bytes) => bytes.toHex()), readerSchema);
  assertEquals(
    written.map((bytes) => codec.decode(bytes)),
    resolved.map((line) => JSON.parse(line)),
  );
  assertEquals(codec.decode(written[0]!), {
    from: "shop",
    state: "PAID",
    priority: 5,
    tags: { a: "b" },
  });
});
