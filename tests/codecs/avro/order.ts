import fc from "fast-check";

/** A schema with a union, an enum, maps, arrays, nested and recursive records, defaults and logical types. */
export const orderSchema: string = Deno.readTextFileSync(
  new URL("interchange.avsc", import.meta.url),
);

const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };
const text = fc.string({ unit: "binary", maxLength: 12 });
const status = fc.constantFrom("NEW", "PAID", "SHIPPED");
const int = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const long = fc.bigInt(INT64).map((n) => Number.isSafeInteger(Number(n)) ? Number(n) : n);
const key = text.filter((key) => key !== "__proto__");
/** Within the years 1 to 9999, which are those of Python. */
const millis = fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 });
const date = millis.map((ms) => new Date(ms));

const line = fc.record({
  sku: text,
  count: int,
  price: fc.double({ noNaN: true }),
  weight: fc.float({ noNaN: true }),
  gift: fc.boolean(),
}, { noNullPrototype: true });

/** Orders of {@linkcode orderSchema} with all their fields. */
export const orderArbitrary: fc.Arbitrary<Record<string, unknown>> = fc.letrec<
  { order: Record<string, unknown>; previous: Record<string, unknown> | null }
>((tie) => ({
  previous: fc.oneof({ maxDepth: 2, depthSize: "small" }, fc.constant(null), tie("order")),
  order: fc.record({
    id: long,
    customer: fc.option(text),
    status,
    lines: fc.array(line, { maxLength: 4 }),
    stock: fc.dictionary(key, long, { maxKeys: 4, noNullPrototype: true }),
    labels: fc.dictionary(key, fc.array(status, { maxLength: 3 }), {
      maxKeys: 3,
      noNullPrototype: true,
    }),
    digest: fc.uint8Array({ minLength: 4, maxLength: 4 }),
    blob: fc.uint8Array({ maxLength: 40 }),
    note: fc.oneof(fc.constant(null), long, text, line, fc.array(int, { maxLength: 3 })),
    day: fc.integer({ min: -719_162, max: 2_932_896 }).map((days) => new Date(days * 86_400_000)),
    createdMs: date,
    createdUs: fc.tuple(millis, fc.integer({ min: 0, max: 999 })).map(([ms, us]) =>
      Temporal.Instant.fromEpochMilliseconds(ms).add({ microseconds: us })
    ),
    shipped: fc.option(date),
    previous: tie("previous"),
    source: text,
  }, { noNullPrototype: true }),
})).order;
