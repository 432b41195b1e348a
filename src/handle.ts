import { App, type StreamOptions } from "./app.ts";
import { shareDefaults } from "./defaults.ts";

/** The default app: the one that {@linkcode handle} and {@linkcode stream} belong to. */
export const app: App = new App();
shareDefaults(app);

/**
 * Binds a source to a handler on the default app; see {@linkcode App.handle}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { handle, stream } from "@slipstream/slipstream";
 *
 * const seen: string[] = [];
 * handle("ab", function* (letter) {
 *   yield letter;
 *   yield letter.toUpperCase();
 * }, { sink: (letter) => seen.push(letter) });
 * await stream();
 * assertEquals(seen, ["a", "A", "b", "B"]);
 * ```
 */
export const handle: App["handle"] = app.handle.bind(app);

/** Streams the default app; see {@linkcode App.stream}. */
export function stream(options?: StreamOptions): Promise<void> {
  return app.stream(options);
}
