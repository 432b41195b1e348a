import { Buffer } from "node:buffer";

/**
 * What becomes of the answer to a request: passed on, lost together with the connection, or whatever a function says
 * that may change it. Answers that follow on the same connection wait for it.
 */
export type Fate = Settled | ((answer: Buffer) => Settled | void | Promise<Settled | void>);

type Settled = "pass" | "lose";

/** Kafka's number of requests to produce. */
export const PRODUCE = 0;

/**
 * Stands between clients and one broker, whose address it puts its own in the place of. Clients see all answers to
 * their requests but those that `decide` says otherwise of; the broker has carried out all of them.
 */
export class BrokerProxy implements AsyncDisposable {
  /** Its address. */
  readonly brokers: string[];
  readonly #listener: Deno.TcpListener;
  readonly #target: { readonly hostname: string; readonly port: number };
  readonly #open = new Set<Deno.TcpConn>();
  readonly #running: Promise<void>;
  readonly #decide: (apiKey: number, request: Buffer) => Fate;

  constructor(broker: string, decide: (apiKey: number, request: Buffer) => Fate) {
    const [hostname, port] = broker.split(":");
    this.#target = { hostname: hostname!, port: Number(port) };
    this.#decide = decide;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.brokers = [`${hostname}:${this.#listener.addr.port}`];
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    const serving: Promise<void>[] = [];
    for await (const client of this.#listener) serving.push(this.#serve(client));
    await Promise.all(serving);
  }

  async #serve(client: Deno.TcpConn): Promise<void> {
    const server = await Deno.connect(this.#target);
    this.#open.add(client).add(server);
    const end = () => {
      for (const connection of [client, server]) {
        if (this.#open.delete(connection)) connection.close();
      }
    };
    // A broker answers in the order of the requests.
    const fates: Fate[] = [];
    const forth = eachFrame(client, async (frame) => {
      fates.push(this.#decide(frame.readInt16BE(4), frame));
      await write(server, frame);
    });
    const back = eachFrame(server, async (frame) => {
      const fate = fates.shift()!;
      const settled = typeof fate === "function" ? await fate(frame) : fate;
      if (settled === "lose") return end();
      this.#readdress(frame);
      await write(client, frame);
    });
    await Promise.allSettled([forth.finally(end), back.finally(end)]);
  }

  /** Has an answer name this address where it names the broker's. */
  #readdress(frame: Buffer): void {
    const { hostname, port } = this.#target;
    const address = Buffer.alloc(2 + hostname.length + 4);
    address.writeInt16BE(hostname.length);
    address.write(hostname, 2);
    address.writeInt32BE(port, 2 + hostname.length);
    const at = frame.indexOf(address);
    if (at >= 0) frame.writeInt32BE(this.#listener.addr.port, at + 2 + hostname.length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) connection.close();
    this.#open.clear();
    await this.#running;
  }
}

/** Calls `take` for each message of a connection, with its length in front, one after the other. */
async function eachFrame(
  connection: Deno.TcpConn,
  take: (frame: Buffer) => Promise<void> | void,
): Promise<void> {
  let rest = Buffer.alloc(0);
  for await (const bytes of connection.readable.values({ preventCancel: true })) {
    rest = Buffer.concat([rest, bytes]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const frame = Buffer.from(rest.subarray(0, 4 + rest.readInt32BE(0)));
      rest = rest.subarray(frame.length);
      await take(frame);
    }
  }
}

async function write(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}
