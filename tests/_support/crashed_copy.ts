import { Cache } from "../../mod.ts";

/** Opens a copy of a store as a crash at this moment would leave it. */
export async function crashedCopy<V>(path: string): Promise<Cache<V>> {
  const copy = `${path}.copy-${crypto.randomUUID()}`;
  {
    using source = await Deno.openKv(path);
    using target = await Deno.openKv(copy);
    for await (const { key, value } of source.list({ prefix: [] })) await target.set(key, value);
  }
  return await Cache.open<V>(copy, { maxBytes: Infinity });
}
