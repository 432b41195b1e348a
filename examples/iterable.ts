/**
 * Whatever can be iterated is a source: an array, a Set, a generator, a `ReadableStream`, an object of
 * your own. `merge` makes one source of several.
 *
 * ```sh
 * deno run examples/iterable.ts
 * ```
 *
 * ```text
 * array: 🏆
 * array: 📞
 * set: 🐟
 * generator: 1
 * generator: 2
 * stream: a
 * stream: b
 * countdown: 2
 * countdown: 1
 * merged: 6
 * ```
 *
 * @module
 */
import { App, merge, type Source } from "@slipstream/slipstream";

function* numbers(): Generator<number, void> {
  yield 1;
  yield 2;
}

/** An object of one's own: all that it needs is the method that iterates it. */
class Countdown {
  constructor(readonly from: number) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<number, void> {
    for (let n = this.from; n > 0; n--) yield n;
  }
}

/** Prints a source to its end, in an app of its own: flows of one app run side by side. */
async function print<T>(name: string, source: Source<T>): Promise<void> {
  await using app = new App();
  app.handle(source, (message) => `${name}: ${message}`, { sink: console.log });
  await app.stream();
}

await print("array", ["🏆", "📞"]);
await print("set", new Set(["🐟"]));
await print("generator", numbers());
await print("stream", ReadableStream.from(["a", "b"]));
await print("countdown", new Countdown(2));

let sum = 0;
await using app = new App();
app.handle(merge(numbers(), new Countdown(2)), (n) => n, { sink: (n) => sum += n });
await app.stream();
console.log(`merged: ${sum}`);
