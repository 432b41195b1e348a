/** What ends a kafkajs client that its `disconnect()` does not end. */
import { assertEquals, assertRejects } from "@std/assert";
import { freePorts } from "../../scripts/kafka/ports.ts";
import { systemClock } from "../../src/clock.ts";
import { createClient, ENDLESS } from "../../src/kafka/kafkajs/client.ts";

/** Listens and answers nothing; counts the connections. */
function mute() {
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

Deno.test("ClientLifetime.end() lets an attempt without end fail at the next one", async () => {
  const { kafka, lifetime } = createClient({ brokers: [`127.0.0.1:${freePorts(1)[0]}`] }, 1e6);
  const connecting = assertRejects(() => kafka.admin().connect());
  lifetime.end();
  await connecting;
});

Deno.test("ClientLifetime.close() ends the wait for a broker that answers nothing", async () => {
  await using broker = mute();
  const { kafka, lifetime } = createClient({ brokers: [broker.address] }, ENDLESS.retries);
  const admin = kafka.admin();
  const connecting = admin.connect();
  await broker.accepted;
  const closing = lifetime.close(systemClock, connecting, 10);
  await assertRejects(() => connecting, Error, "the client is closed");
  await closing;
  // Nothing is opened any more.
  await assertRejects(() => kafka.admin().connect(), Error, "the client is closed");
  assertEquals(broker.connections.length, 1);
});
