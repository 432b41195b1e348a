import type { BrokerStatus } from "../client/status.ts";

/**
 * Tells `onStatus`, and keeps what it throws from the client that it runs in: whoever reads or writes then
 * ends with that error; when nobody does, whoever does so next.
 */
export class StatusTeller {
  readonly #onStatus: ((status: BrokerStatus) => void) | undefined;
  readonly #users = new Set<(error: unknown) => void>();
  #unheard: { readonly error: unknown } | undefined;

  /** Tells `onStatus`, if there is one. */
  constructor(onStatus: ((status: BrokerStatus) => void) | undefined) {
    this.#onStatus = onStatus;
  }

  /** Tells a status; throws nothing. */
  readonly tell = (status: BrokerStatus): void => {
    try {
      this.#onStatus?.(status);
    } catch (error) {
      if (this.#users.size === 0) this.#unheard ??= { error };
      for (const fail of this.#users) fail(error);
    }
  };

  /** Calls `fail` with what the callback throws, until the function that is returned is called. */
  watch(fail: (error: unknown) => void): () => void {
    const unheard = this.#unheard;
    this.#unheard = undefined;
    if (unheard !== undefined) fail(unheard.error);
    this.#users.add(fail);
    return () => void this.#users.delete(fail);
  }
}
