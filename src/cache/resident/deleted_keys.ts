import type { Writer } from "../../flow/state/state.ts";

/** Who deleted the keys of a table of which nothing else is left, until the next cut. */
export class DeletedKeys {
  readonly #flows = new Map<string, Writer | undefined>();

  /** Notes that `by`, or code outside of flows, deleted a key. */
  leave(key: string, by: Writer | undefined): void {
    this.#flows.set(key, by);
  }

  /** Who deleted a key last; undefined when nobody did. */
  find(key: string): { readonly by: Writer | undefined } | undefined {
    return this.#flows.has(key) ? { by: this.#flows.get(key) } : undefined;
  }

  /** Notes that code outside of flows deleted these keys, and all that others had deleted. */
  leaveAll(keys: Iterable<string>): void {
    for (const key of [...keys, ...this.#flows.keys()]) this.#flows.set(key, undefined);
  }

  /** Nothing is taken back any more that was written so far. */
  clear(): void {
    this.#flows.clear();
  }
}
