/** Starts a broker, says where it is, and waits to be killed. */
// deno-lint-ignore-file no-console
import { KafkaServer } from "../../scripts/kafka/server.ts";

const server = await KafkaServer.start();
console.log(server.brokers[0]);
await new Promise((resolve) => setTimeout(resolve, 60_000));
