/**
 * A Cache keeps entries on disk and hands them out from memory, in the order of their keys.
 *
 * ```sh
 * deno run --allow-read --allow-write examples/cache.ts
 * ```
 *
 * ```text
 * phone 📞
 * prize 🏆
 * starting with "pr": prize
 * nearest at or before 12: ten
 * ```
 *
 * @module
 */
import { Cache } from "@slipstream/slipstream";

await using cache = await Cache.open<string>("state/cache");
await cache.clear();

await cache.set("prize", "🏆");
await cache.set("phone", "📞");
for await (const [key, value] of cache.entries()) console.log(key, value);

for await (const key of cache.keys({ startsWith: "pr" })) console.log('starting with "pr":', key);

await cache.set(10, "ten");
await cache.set(20, "twenty");
for await (const value of cache.values({ from: 12, reverse: true, limit: 1 })) {
  console.log("nearest at or before 12:", value);
}
