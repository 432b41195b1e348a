/**
 * Counts that survive a restart: the second run goes on where the first one stopped, as the counts are in
 * a Cache on disk. (Both runs are in one process here; `state` may also be that of another process.)
 *
 * ```sh
 * deno run --allow-read --allow-write examples/count_words.ts
 * ```
 *
 * ```text
 * first run
 * fish 1
 * trophy 1
 * fish 2
 * second run
 * fish 3
 * phone 1
 * ```
 *
 * @module
 */
import { App, Cache } from "@slipstream/slipstream";

const folder = await Deno.makeTempDir();

async function run(text: string): Promise<void> {
  await using counts = await Cache.open<number>(`${folder}/state/words`);
  await using app = new App();
  app.handle(text.split(" "), async (word) => {
    const count = await counts.update(word, (before = 0) => before + 1);
    return `${word} ${count}`;
  }, { sink: console.log });
  await app.stream();
}

console.log("first run");
await run("fish trophy fish");
console.log("second run");
await run("fish phone");

await Deno.remove(folder, { recursive: true });
