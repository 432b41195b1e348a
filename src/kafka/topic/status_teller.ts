import type { Host } from "../../flow/source/host.ts";
import type { BrokerStatus } from "../client/status.ts";

/** Who reads or writes the topic now. */
interface User {
  /** Is called with what `onStatus` throws. */
  readonly fail: (error: unknown) => void;
  /** The run in which it does so. */
  readonly host: Host | undefined;
}

/**
 * Tells `onStatus`, and those who look at the runs in which the topic is used. What `onStatus` throws is kept from the
 * client that it runs in: whoever reads or writes then ends with that error; when nobody does, whoever does so next.
 */
export class StatusTeller {
  readonly #topic: string;
  readonly #onStatus: ((status: BrokerStatus) => void) | undefined;
  readonly #users = new Set<User>();
  #unheard: { readonly error: unknown } | undefined;

  /** Tells `onStatus`, if there is one. */
  constructor(topic: string, onStatus: ((status: BrokerStatus) => void) | undefined) {
    this.#topic = topic;
    this.#onStatus = onStatus;
  }

  /** Tells a status; throws nothing. */
  readonly tell = (status: BrokerStatus): void => {
    // A run that both reads and writes the topic is told once.
    for (const host of new Set(this.#users.values().map(({ host }) => host))) {
      host?.tell?.({ type: "topic", name: this.#topic, event: status });
    }
    try {
      this.#onStatus?.(status);
    } catch (error) {
      if (this.#users.size === 0) this.#unheard ??= { error };
      for (const { fail } of this.#users) fail(error);
    }
  };

  /**
   * Calls `fail` with what the callback throws, and tells those who look at the run of `host`, until the function that
   * is returned is called.
   */
  watch(fail: (error: unknown) => void, host?: Host): () => void {
    const unheard = this.#unheard;
    this.#unheard = undefined;
    if (unheard !== undefined) fail(unheard.error);
    const user = { fail, host };
    this.#users.add(user);
    return () => void this.#users.delete(user);
  }
}
