/**
 * Opens copies of a cache's file, each with one bit flipped, and prints for each bit what came of it: a process of
 * its own, as some damaged files make Deno itself panic.
 *
 * deno run -A tests/_support/flip_bits.ts FILE CONTENT BIT...
 *
 * @module
 */
import { Cache } from "../../mod.ts";
import { contentOf } from "./filled_cache.ts";

const [path, content, ...bits] = Deno.args as [string, string, ...string[]];
const file = await Deno.readFile(path);
for (const bit of bits) {
  const copy = `${path}.bit-${bit}`;
  const flipped = file.slice();
  flipped[Number(bit) >> 3]! ^= 1 << (Number(bit) & 7);
  await Deno.writeFile(copy, flipped);
  await Deno.stdout.write(new TextEncoder().encode(`${bit} `));
  const outcome = await open(copy);
  await Deno.stdout.write(new TextEncoder().encode(`${outcome}\n`));
  for (const end of ["", ".lock", "-wal", "-shm"]) await Deno.remove(copy + end).catch(() => {});
}

async function open(path: string): Promise<string> {
  let cache: Cache;
  try {
    cache = await Cache.open(path, { maxBytes: Infinity });
  } catch (error) {
    return (error as Error).name;
  }
  const outcome = await contentOf(cache) === content ? "right" : "wrong";
  await cache.close().catch(() => {});
  return outcome;
}
