import type { Socket } from "node:net";
import type { ISocketFactory } from "kafkajs";
import socketFactory from "kafkajs/src/network/socketFactory.js";
import { type Clock, settledWithin } from "../../clock.ts";
import { allows } from "./permissions.ts";

/** How long a client may take to end by itself. */
export const END_MS = 1_000;

const CLOSED = "the client is closed";

/**
 * What a kafkajs client lives on: attempts and sockets. Its `disconnect()` ends neither what is tried again
 * nor what waits for the answer of a broker that is frozen; both would keep the process running.
 *
 * - Its connections keep the process running while it is in use, and not while it is idle.
 */
export class ClientLifetime {
  readonly #sockets = new Set<Socket>();
  #users = 0;
  #ended = false;
  #isCut = false;

  /** Makes the sockets of the client. */
  readonly socketFactory: ISocketFactory = (address) => {
    if (this.#isCut) throw new Error(CLOSED);
    this.#checkAllowed(address);
    const socket = connect(address);
    if (this.#users === 0) socket.unref();
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    return socket;
  };

  /** Ends the client where Deno does not allow the connection: kafkajs would try it again and again. */
  #checkAllowed({ host, port }: { readonly host: string; readonly port: number }): void {
    const name = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    if (allows({ name: "net", host: name })) return;
    this.end();
    throw new Deno.errors.NotCapable(`Requires net access to "${name}"`);
  }

  /** Keeps the process running until what it returns is called. */
  use(): () => void {
    if (this.#users++ === 0) { for (const socket of this.#sockets) socket.ref(); }
    let inUse = true;
    return () => {
      if (!inUse) return;
      inUse = false;
      if (--this.#users === 0) { for (const socket of this.#sockets) socket.unref(); }
    };
  }

  /** True when nothing is tried again. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Returns a number of repetitions that is 0 once the client has ended: kafkajs reads it at each attempt. */
  retries(count: number): number {
    return { valueOf: () => this.#ended ? 0 : count } as unknown as number;
  }

  /** Tries nothing again, from now on. */
  end(): void {
    this.#ended = true;
  }

  /** Ends what is in flight, too. */
  cut(): void {
    this.#ended = this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy(new Error(CLOSED));
  }

  /**
   * Gives the client `ms` milliseconds to end by itself, then {@linkcode ClientLifetime.cut}s it, after which it
   * takes one pause between two attempts at most.
   */
  async close(clock: Clock, ending: Promise<unknown>, ms = END_MS): Promise<void> {
    this.end();
    await settledWithin(clock, ms, ending);
    this.cut();
    await settledWithin(clock, END_MS, ending);
  }
}

const connect = socketFactory() as (address: Parameters<ISocketFactory>[0]) => Socket;
