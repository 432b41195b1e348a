import { createHash } from "node:crypto";
import { App, Cache } from "../../mod.ts";
import { serialize } from "../../src/cache/sealed.ts";
import { openState } from "../../src/flow/state/state.ts";
import { add, numbers } from "./numbers.ts";

const ALL = { maxBytes: Infinity };

/**
 * Fills the file of a cache with all that there can be in one: several thousand entries in many pages, values in
 * pieces, overwritten and deleted entries, spaces, evicted entries, and the position of a flow.
 */
export async function fillCache(path: string): Promise<void> {
  {
    await using cache = await Cache.open<unknown>(path, ALL);
    const recent = cache.space<string>("recent", { maxBytes: 20_000 });
    for (let n = 0; n < 5_000; n++) {
      await cache.set(["n", n % 3_500], { n, text: `text ${n}`.repeat(1 + n % 7) });
      if (n % 9 === 0) await cache.delete(["n", n / 3]);
      await recent.set(n, `recent ${n}`);
      if (n % 2_500 === 0) await cache.set(["large", n], `text ${n}`.repeat(12_000));
      if (n % 500 === 0) await cache.flush();
    }
    await cache.set("bytes", new Uint8Array(1_000).fill(7));
  }
  await using cache = await Cache.open<number>(path, ALL);
  const app = new App();
  const handler = ({ n }: { n: number }) => add(cache, "sum", n);
  app.handle(numbers(100).source, handler, { name: "sum", state: cache });
  await app.stream();
}

/** The whole content of a cache that was filled, hashed. */
export async function contentOf(cache: Cache): Promise<string> {
  const recent = cache.space("recent", ALL);
  const content = [
    await Array.fromAsync(cache.entries()),
    await Array.fromAsync(recent.entries()),
    cache[openState]().positions("sum", "numbers"),
  ];
  return createHash("sha256").update(serialize(content)).digest("hex");
}
