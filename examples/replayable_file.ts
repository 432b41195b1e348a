/**
 * A file as a source that can be read again from any byte: with `state`, each line is counted exactly once,
 * whatever crashes in between. Lines that are added later are read by the next run.
 *
 * - The position of a line is the byte after it; the cache holds it beside the counts.
 * - The file here is written by the example itself, and grows between two runs.
 *
 * ```sh
 * deno run --unstable-kv --allow-read=state --allow-write=state examples/replayable_file.ts
 * ```
 *
 * Prints:
 *
 * ```text
 * fish 2, shoe 1
 * fish 3, shoe 2
 * ```
 *
 * @module
 */
import { App, Cache, replayable } from "@slipstream/slipstream";

/** A line, and the byte after it. */
export interface Line {
  /** The text, without its end. */
  readonly text: string;
  /** The position of what follows. */
  readonly next: number;
}

/** Yields the whole lines of a file from a byte on. A line without an end is not there yet. */
export async function* linesFrom(path: string, position = 0): AsyncGenerator<Line, void> {
  using file = await Deno.open(path);
  await file.seek(position, Deno.SeekMode.Start);
  let rest = new Uint8Array();
  for await (const chunk of file.readable) {
    const bytes = new Uint8Array(rest.length + chunk.length);
    bytes.set(rest);
    bytes.set(chunk, rest.length);
    let begin = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, begin)) {
      const text = new TextDecoder().decode(bytes.subarray(begin, end));
      position += end + 1 - begin;
      begin = end + 1;
      yield { text, next: position };
    }
    rest = bytes.slice(begin);
  }
}

/** Counts the lines of a file by their text; what was counted in earlier runs is not counted again. */
export async function countLines(path: string, state: string): Promise<Map<string, number>> {
  await using counts = await Cache.open<number>(state, { maxBytes: Infinity });
  const lines = replayable<Line, number>({
    name: path,
    read: (position) => linesFrom(path, position),
    position: ({ next }) => next,
  });

  const app = new App();
  app.handle(lines, async ({ text }) => {
    await counts.update(text, (count = 0) => count + 1);
  }, { name: "count lines", state: counts });
  await app.stream();
  return new Map(await Array.fromAsync(counts.entries(), ([key, n]) => [String(key), n]));
}

if (import.meta.main) {
  const folder = "state/replayable_file";
  await Deno.remove(folder, { recursive: true }).catch(() => {}); // nothing is there in the first run
  await Deno.mkdir(folder, { recursive: true });
  const file = `${folder}/sea.txt`;
  for (const lines of ["fish\nshoe\nfish\n", "shoe\nfish\n"]) {
    await Deno.writeTextFile(file, lines, { append: true });
    const counts = await countLines(file, `${folder}/counts`);
    console.log([...counts].map(([text, count]) => `${text} ${count}`).join(", "));
  }
}
