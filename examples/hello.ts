/**
 * The smallest app: a source, a handler and a sink. A string is a source of its characters.
 *
 * ```sh
 * deno run examples/hello.ts
 * ```
 *
 * ```text
 * Hello 🏆!
 * Hello 📞!
 * Hello 🐟!
 * Hello 👌!
 * ```
 *
 * @module
 */
import { handle, stream } from "@slipstream/slipstream";

handle("🏆📞🐟👌", (emoji) => `Hello ${emoji}!`, { sink: console.log });

await stream();
