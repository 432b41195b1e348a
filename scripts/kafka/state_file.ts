import { createHash } from "node:crypto";

/**
 * Returns the file in `temporary` that notes the broker of a checkout: one per user and checkout, so that
 * nobody stops the broker of another checkout.
 *
 * @param scripts The folder of the checkout's scripts.
 */
export function stateFileOf(scripts: string, temporary: string): string {
  const checkout = createHash("sha256").update(Deno.realPathSync(scripts)).digest("hex");
  return `${temporary}/slipstream-kafka-${Deno.uid()}-${checkout.slice(0, 12)}.json`;
}
