/** A broker that takes connections, and answers nothing. */
export function muteBroker() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Deno.Conn[] = [];
  const accepted = Promise.withResolvers<void>();
  const accepting = (async () => {
    for await (const connection of listener) {
      connections.push(connection);
      accepted.resolve();
    }
  })();
  return {
    address: `127.0.0.1:${listener.addr.port}`,
    connections,
    accepted: accepted.promise,
    async [Symbol.asyncDispose]() {
      for (const connection of connections) connection.close();
      listener.close();
      await accepting;
    },
  };
}
