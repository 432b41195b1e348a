/**
 * A program that reads a topic and keeps one small thing of each fetch: `keeping_program.ts <brokers> <topic>
 * <what>`. Needs `--v8-flags=--expose-gc`. Prints how many it has kept, and how many bytes that takes for each: what
 * the process holds less when it has let go of them.
 */
import { BytesCodec, MemoryCache } from "../../mod.ts";
import { type Message, Topic } from "../../src/kafka/mod.ts";

type Bytes = Message<Uint8Array, Uint8Array>;

const [brokers, name, what] = Deno.args as [string, string, string];

let kept: unknown[] = [];
let cache = new MemoryCache<Uint8Array>();

/** What is kept of a message, by name. */
const ways: Record<string, (message: Bytes) => unknown> = {
  message: (message) => message,
  "decoded message": (message) => [message.key, message.value, message],
  value: (message) => message.value,
  key: (message) => message.key,
  headers: (message) => message.headers,
  "record.value": (message) => message.record.value,
  "record.headers": (message) => message.record.headers,
  cache: (message) => cache.set(String(message.offset), message.record.value!),
};

/** Returns how many bytes the process holds once the garbage is collected. */
async function held(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    (globalThis as unknown as { gc(): void }).gc();
    await new Promise((resolve) => setTimeout(resolve, 20)); // what a buffer had is freed after a while
  }
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

const topic = new Topic<Uint8Array, Uint8Array>(name, {
  brokers: brokers.split(","),
  groupId: `${name}-${what}`,
  offset: "earliest",
  maxBytesPerPartition: 1, // a batch in each fetch
  codec: new BytesCodec(),
  keyCodec: new BytesCodec(),
});
const { high } = (await topic.offsets()).get(0)!;
for await (const message of topic) {
  if (message.headers.has("keep")) kept.push(await ways[what]!(message));
  if (message.offset === high - 1) break;
}
await topic.close();
const count = kept.length;
const before = await held();
kept = [];
cache = new MemoryCache();
console.log(JSON.stringify({ count, bytesEach: Math.round((before - await held()) / count) }));
