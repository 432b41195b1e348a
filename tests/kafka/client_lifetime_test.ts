/** What ends a kafkajs client that its `disconnect()` does not end. */
import { assertEquals, assertRejects } from "@std/assert";
import { freePorts } from "../../scripts/kafka/ports.ts";
import { systemClock } from "../../src/clock.ts";
import { createClient, ENDLESS } from "../../src/kafka/kafkajs/client.ts";
import { muteBroker } from "../_support/mute_broker.ts";

Deno.test("ClientLifetime.end() lets an attempt without end fail at the next one", async () => {
  const { kafka, lifetime } = createClient({ brokers: [`127.0.0.1:${freePorts(1)[0]}`] }, 1e6);
  const connecting = assertRejects(() => kafka.admin().connect());
  lifetime.end();
  await connecting;
});

Deno.test("ClientLifetime.close() ends the wait for a broker that answers nothing", async () => {
  await using broker = muteBroker();
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
