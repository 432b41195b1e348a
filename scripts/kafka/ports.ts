/** Returns `count` ports that nobody listens on now. */
export function freePorts(count: number): number[] {
  const listeners = Array.from(
    { length: count },
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  );
  const ports = listeners.map((listener) => listener.addr.port);
  for (const listener of listeners) listener.close();
  return ports;
}

/** An ApiVersions request, version 0, from a client without a name: the first thing every client asks. */
const API_VERSIONS = new Uint8Array([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff]);

/**
 * Resolves when a broker answers at `address`.
 *
 * @throws {Error} If `ended` settles before, or after a minute; with the end of what `log` returns.
 */
export async function waitUntilAnswering(
  address: string,
  ended: Promise<unknown>,
  log: () => Promise<string>,
): Promise<void> {
  let over = false;
  const end = () => over = true;
  ended.then(end, end);
  const deadline = performance.now() + 60_000;
  while (!over && performance.now() < deadline) {
    if (await answers(address)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const text = await log().catch(() => "");
  throw new Error(`No broker answers at ${address}:\n${text.slice(-3_000)}`);
}

/** Returns whether a broker answers at `address` within a second. */
export async function answers(address: string): Promise<boolean> {
  const colon = address.lastIndexOf(":");
  const hostname = address.slice(0, colon).replace(/^\[|\]$/g, "");
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  let connection: Deno.TcpConn | undefined;
  const patience = setTimeout(() => {
    connection?.close();
    resolve(false);
  }, 1_000);
  const asking = (async () => {
    connection = await Deno.connect({ hostname, port: Number(address.slice(colon + 1)) });
    using open = connection;
    await open.write(API_VERSIONS);
    return (await open.read(new Uint8Array(4))) === 4;
  })().catch(() => false);
  const answer = await Promise.race([asking, late]);
  clearTimeout(patience);
  return answer;
}
