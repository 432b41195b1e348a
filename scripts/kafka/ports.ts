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
 * @throws {Error} If `ended` settles before, or after a minute; with the end of `log`, where given.
 */
export async function waitUntilAnswering(
  address: string,
  ended: Promise<unknown>,
  log?: string,
): Promise<void> {
  let over = false;
  const end = () => over = true;
  ended.then(end, end);
  const deadline = Date.now() + 60_000;
  while (!over && Date.now() < deadline) {
    if (await answersNow(address)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const text = log ? await Deno.readTextFile(log).catch(() => "") : "";
  throw new Error(`No broker answers at ${address}:\n${text.slice(-3_000)}`);
}

async function answersNow(address: string): Promise<boolean> {
  const [hostname, port] = address.split(":") as [string, string];
  try {
    using connection = await Deno.connect({ hostname, port: Number(port) });
    const patience = setTimeout(() => connection.close(), 1_000);
    try {
      await connection.write(API_VERSIONS);
      return (await connection.read(new Uint8Array(4))) === 4;
    } finally {
      clearTimeout(patience);
    }
  } catch {
    return false;
  }
}
