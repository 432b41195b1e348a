import { assertEquals } from "@std/assert";
import { Cache, type Key } from "../../mod.ts";
import { exactStateOf } from "../../src/cache/exact_state.ts";
import { encodeKey } from "../../src/cache/keys.ts";
import { crashedCopy } from "../_support/crashed_copy.ts";
import { temporaryFolder } from "../_support/temporary.ts";

function position(offset: number) {
  const put = { value: offset, cloned: false, size: 10, expires: 0 };
  return { key: encodeKey(["topic", 0]), put };
}

Deno.test("A driven store writes what was there at the cut, and nothing that came later", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/db`;
  const cache = await Cache.open<number>(path);
  const exact = exactStateOf(cache)!;
  let due = 0;
  const release = exact.drive(() => due++);

  await cache.set("sum", 1);
  exact.positions.write(position(1));
  const flushed = cache.flush();
  await Promise.resolve();
  assertEquals(due, 1);
  exact.cut();
  await cache.set("sum", 2);
  await flushed;

  {
    await using other = await crashedCopy<number>(path);
    assertEquals(await other.get("sum"), 1);
    const found = await exactStateOf(other)!.positions.read(encodeKey(["topic", 0]));
    assertEquals(found?.value, 1);
  }
  release();
  await cache.close();
});

Deno.test("Positions are not listed, counted or dropped, and survive clear()", async () => {
  await using folder = await temporaryFolder();
  await using cache = await Cache.open<number>(`${folder.path}/db`, { maxBytes: 500 });
  const { positions } = exactStateOf(cache)!;
  positions.write(position(7));
  for (let i = 0; i < 100; i++) await cache.set(i, i);
  await cache.flush();
  const keys: Key[] = await Array.fromAsync(cache.keys());
  assertEquals(keys.length, cache.size);
  assertEquals(cache.evictions, 100 - cache.size);
  await cache.clear();
  assertEquals((await positions.read(encodeKey(["topic", 0])))?.value, 7);
});
