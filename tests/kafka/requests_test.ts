/** What is asked after a batch was cut off. Kafka itself sends the first batch whole; not each that speaks as it does. */
import { assertEquals } from "@std/assert";
import type { Cluster } from "kafkajs";
import { cameWith } from "../../src/kafka/kafkajs/fetching.ts";
import { watchRequests } from "../../src/kafka/kafkajs/requests.ts";
import { batchOf } from "../_support/record_batches.ts";
import { record } from "../_support/records.ts";

const VERSION = 11;

/** Writes the answer to a fetch of partition 0 of topic "t", with some bytes of batches. */
function answer(batches: Uint8Array): Uint8Array {
  const head = new DataView(new ArrayBuffer(14 + 3 + 4 + 4 + 2 + 24 + 4 + 4 + 4));
  head.setInt32(10, 1); // a topic
  head.setInt16(14, 1);
  head.setUint8(16, "t".charCodeAt(0));
  head.setInt32(17, 1); // a partition, whose number and error are 0
  head.setBigInt64(27, 1n); // its end
  head.setInt32(51, -1); // no aborted transactions
  head.setInt32(55, -1); // no other replica
  head.setInt32(59, batches.length);
  return new Uint8Array([...new Uint8Array(head.buffer), ...batches]);
}

interface Answer {
  readonly responses: readonly {
    readonly partitions: readonly { readonly messages: readonly object[] }[];
  }[];
}

interface Made {
  readonly request: { readonly apiVersion: number };
  readonly response: { decode(bytes: Uint8Array): Promise<Answer> };
}

interface Request {
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly fetchOffset: string;
      readonly maxBytes: number;
    }[];
  }[];
}

Deno.test("watchRequests() asks for as many bytes as a batch has that was cut off, once", async () => {
  const batch = await batchOf([record("k", "x".repeat(500))]);
  const asked: number[] = [];
  const broker = {
    lookupRequest: (_apiKey: number, _definition: unknown) => (_request: Request) =>
      ({ request: { apiVersion: VERSION } }) as Made,
    joinGroup() {},
    syncGroup() {},
    async fetch(request: Request): Promise<Answer> {
      // As kafkajs does: first it looks up how the request is made.
      const { response } = broker.lookupRequest(1, {})(request);
      const { maxBytes } = request.topics[0]!.partitions[0]!;
      asked.push(maxBytes);
      return await response.decode(answer(batch.subarray(0, maxBytes)));
    },
  };
  const cluster = { findBroker: () => Promise.resolve(broker) } as unknown as Cluster;
  watchRequests(cluster, {
    joins() {},
    syncs() {},
    fetches: (partition) => `tag ${partition}`,
    atEnd() {},
  });
  const watched = await cluster.findBroker({ nodeId: "1" }) as unknown as typeof broker;
  const fetch = async () => {
    const partitions = [{ partition: 0, fetchOffset: "0", maxBytes: 100 }];
    const { responses } = await watched.fetch({ topics: [{ topic: "t", partitions }] });
    return responses[0]!.partitions[0]!.messages;
  };
  assertEquals(await fetch(), []);
  const [message] = await fetch();
  const { tag, fetched, high } = cameWith(message!);
  assertEquals([tag, fetched.length, fetched.next, high], ["tag 0", 1, 1, 1]);
  assertEquals(await fetch(), []);
  assertEquals(asked, [100, batch.length, 100]);
});
