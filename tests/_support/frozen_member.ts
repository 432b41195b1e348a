/**
 * A reader in a process of its own, to be frozen and killed: `frozen_member.ts <brokers> <topic> <group>`.
 * Prints a line for each message ("message <offset>") and each status ("status <type>"). On a line on its
 * standard input it acknowledges nothing more, and commits what it has: "commit <result>".
 */
import { KafkaBroker } from "../../src/kafka/kafkajs/broker.ts";
import { GroupReader } from "./group_reader.ts";

const [brokers, topic, groupId] = Deno.args as [string, string, string];
const print = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(line + "\n"));

const broker = new KafkaBroker({ brokers: [brokers] });
const reader = await GroupReader.join(broker, {
  topic,
  groupId,
  sessionTimeout: 1_500,
  heartbeatInterval: 200,
});
let told = 0, statuses = 0;
while (true) {
  await reader.until(({ seen, statuses: all }) => seen.length > told || all.length > statuses);
  for (; told < reader.seen.length; told++) print(`message ${reader.seen[told]!.offset}`);
  for (; statuses < reader.statuses.length; statuses++) {
    const status = reader.statuses[statuses]!;
    print(`status ${status.type}`);
    // The first thing after a thaw that tells of the loss: a commit of the generation that is over.
    if (status.type !== "revoked") continue;
    const { generation } = reader.assignment!;
    print(`commit ${await reader.membership.commit(generation, new Map([[0, 1]]))}`);
  }
}
