import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import * as v from "valibot";
import { z } from "zod";
import { JsonCodec, type StandardSchemaIssue } from "@slipstream/slipstream";

const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

Deno.test("JsonCodec takes its type and its check from a Zod schema", () => {
  const codec = new JsonCodec({ schema: z.object({ emoji: z.string(), at: z.coerce.date() }) });
  const value = codec.decode(bytesOf({ emoji: "🏆", at: "1970-01-01T00:00:00Z" }));
  assert(!(value instanceof Promise));
  const at: Date = value.at;
  assertEquals({ ...value, at }, { emoji: "🏆", at: new Date(0) });
});

Deno.test("JsonCodec takes its type and its check from a Valibot schema", () => {
  const codec = new JsonCodec({ schema: v.object({ count: v.number() }) });
  const value = codec.decode(bytesOf({ count: 3 }));
  assert(!(value instanceof Promise));
  const count: number = value.count;
  assertEquals(count, 3);
});

Deno.test("JsonCodec.decode() names the vendor, the path and the issue, and keeps the issues", () => {
  const codec = new JsonCodec({
    schema: z.object({ items: z.array(z.object({ price: z.number() })) }),
  });
  const error = assertThrows(
    () => codec.decode(bytesOf({ items: [{ price: "1" }] })),
    TypeError,
    'Cannot decode JSON as the zod schema rejects it: "items.0.price" ',
  );
  const [issue] = error.cause as StandardSchemaIssue[];
  assertEquals(issue!.path, ["items", 0, "price"]);
});

Deno.test("JsonCodec.decode() reads the paths of a validator whose path parts are objects", () => {
  const codec = new JsonCodec({ schema: v.object({ a: v.object({ b: v.number() }) }) });
  assertThrows(() => codec.decode(bytesOf({ a: { b: "1" } })), TypeError, '"a.b" ');
});

Deno.test("JsonCodec.decode() lists three issues and counts the others", () => {
  const schema = z.object({
    a: z.number(),
    b: z.number(),
    c: z.number(),
    d: z.number(),
    e: z.number(),
  });
  const codec = new JsonCodec({ schema });
  assertThrows(() => codec.decode(bytesOf({})), TypeError, "; and 2 more");
});

Deno.test("JsonCodec.decode() rejects where an asynchronous validator does", async () => {
  const schema = v.pipeAsync(v.number(), v.checkAsync((n) => Promise.resolve(n > 0), "too small"));
  const codec = new JsonCodec({ schema });
  assertEquals(await codec.decode(bytesOf(1)), 1);
  const decoding = codec.decode(bytesOf(-1));
  assertInstanceOf(decoding, Promise);
  await assertRejects(() => decoding, TypeError, "the valibot schema rejects it: too small");
});

Deno.test("JsonCodec refuses a schema that is not a Standard Schema validator", () => {
  const schema = {} as z.ZodNumber;
  assertThrows(() => new JsonCodec({ schema }), TypeError, 'with its "~standard"');
});
