import { TextLineStream } from "@std/streams/text-line-stream";
import { ownKafkaTest } from "../_support/kafka.ts";

/** Says whether somebody listens at an address. */
async function listens(address: string): Promise<boolean> {
  const [hostname, port] = address.split(":") as [string, string];
  try {
    (await Deno.connect({ hostname, port: Number(port) })).close();
    return true;
  } catch {
    return false;
  }
}

ownKafkaTest("a broker ends when the process that started it is killed", async () => {
  const program = new URL("../_support/broker_owner.ts", import.meta.url).pathname;
  const owner = new Deno.Command(Deno.execPath(), { args: ["run", "-A", program], stdout: "piped" })
    .spawn();
  const lines = owner.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream())
    .getReader();
  const { value: address } = await lines.read();
  owner.kill("SIGKILL");
  await owner.status;
  await lines.cancel();
  const deadline = Date.now() + 10_000;
  while (await listens(address!)) {
    if (Date.now() > deadline) throw new Error(`The broker at ${address} lives on`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});
