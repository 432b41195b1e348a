/**
 * A Proxy passes messages between handlers: a sink for one flow and the source of another. It is bounded,
 * so a fast writer waits for a slow reader.
 *
 * ```sh
 * deno run examples/proxy.ts
 * ```
 *
 * ```text
 * Proxied 🏆!
 * Proxied 📞!
 * Proxied 🐟!
 * Proxied 👌!
 * ```
 *
 * @module
 */
import { handle, Proxy, stream } from "@slipstream/slipstream";

const proxy = new Proxy<string>();

handle("🏆📞🐟👌", (emoji) => `Proxied ${emoji}!`, { sink: proxy });
handle(proxy, (message) => message, { sink: console.log });

await stream();
