/**
 * A handler that has no result, or several, is a generator: each thing it yields goes to the sinks before
 * it goes on.
 *
 * ```sh
 * deno run examples/yield.ts
 * ```
 *
 * ```text
 * zero: 0
 * even: 0
 * even: 2
 * even: 4
 * ```
 *
 * @module
 */
import { handle, stream } from "@slipstream/slipstream";

handle([0, 1, 2, 3, 4], function* (n) {
  if (n === 0) yield `zero: ${n}`;
  if (n % 2 === 0) yield `even: ${n}`;
}, { sink: console.log });

await stream();
