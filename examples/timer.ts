/**
 * A timer is no feature but a few lines: any async generator is a source. The handler does not even look
 * at the message.
 *
 * Ticks until Ctrl-C, or as often as the first argument says; the second one is the interval in
 * milliseconds (1000).
 *
 * ```sh
 * deno run examples/timer.ts 3 50
 * ```
 *
 * ```text
 * 🐟 - blub
 * 🐟 - blub
 * 🐟 - blub
 * ```
 *
 * @module
 */
import { handle, stream } from "@slipstream/slipstream";
import { delay } from "@std/async/delay";

async function* timer(intervalMs: number, count: number): AsyncGenerator<number, void> {
  for (let tick = 1; tick <= count; tick++) {
    await delay(intervalMs);
    yield tick;
  }
}

const [count = "Infinity", intervalMs = "1000"] = Deno.args;

handle(timer(Number(intervalMs), Number(count)), () => "🐟 - blub", { sink: console.log });

await stream();
