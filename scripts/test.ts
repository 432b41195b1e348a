/**
 * Runs the tests: `deno task test [arguments of deno test]`. Starts one Kafka broker for the whole run,
 * unless `KAFKA_BROKERS` names one, and stops it again.
 */
import { brokersFromEnvironment, KafkaServer } from "./kafka/server.ts";

async function broker(): Promise<[KafkaServer | undefined, Record<string, string>]> {
  if (brokersFromEnvironment()) return [undefined, {}];
  try {
    const server = await KafkaServer.start({ note: console.error });
    return [server, { SLIPSTREAM_TEST_KAFKA: server.brokers.join() }];
  } catch (error) {
    return [undefined, { SLIPSTREAM_TEST_KAFKA_MISSING: (error as Error).message.split("\n")[0]! }];
  }
}

const [server, env] = await broker();
try {
  const child = new Deno.Command(Deno.execPath(), { args: ["test", "-A", ...Deno.args], env })
    .spawn();
  const { code } = await child.status;
  Deno.exitCode = code;
} finally {
  await server?.stop();
}
