import type { Cluster, Consumer, ConsumerConfig, Kafka } from "kafkajs";
import type { Client } from "../../src/kafka/kafkajs/client.ts";
import { ClientLifetime } from "../../src/kafka/kafkajs/client_lifetime.ts";
import type { Exchange } from "../../src/kafka/kafkajs/cluster.ts";
import { all, read } from "./record_batches.ts";

/** A batch that was sent to a partition. */
export interface SentBatch {
  readonly partition: number;
  readonly producerId: bigint;
  readonly baseSequence: number;
  readonly values: readonly string[];
}

/** What a stub of kafkajs does instead of asking brokers. */
export interface StubOptions {
  /** Connects a client. */
  readonly connect?: () => Promise<void>;
  /** Sends a request; by default all of its batches are stored. May give the partitions that are refused, with errors. */
  readonly send?: (batches: readonly SentBatch[]) => Promise<void | ReadonlyMap<number, number>>;
  /** The broker that leads a partition. @default 1 */
  readonly leaderOf?: (partition: number) => number;
}

/** The logger of a kafkajs that says nothing. */
export const logger: Record<string, () => unknown> = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  namespace: () => logger,
};

/** A kafkajs whose clients reach nobody, and note what they are told to do. */
export class KafkajsStub {
  readonly calls: string[] = [];
  /** The requests that were answered, with the batches that were stored. */
  readonly requests: (readonly SentBatch[])[] = [];
  readonly client: Client;
  /** Resolves when a client was disconnected. */
  readonly disconnected: Promise<void>;
  readonly #options: StubOptions;
  #ids = 0;
  #next = 0;

  constructor(options: StubOptions) {
    this.#options = options;
    const { connect = () => Promise.resolve() } = options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.disconnected = promise;
    const note = (call: string) => {
      this.calls.push(call);
      return Promise.resolve();
    };
    const both = {
      async connect() {
        await note("connect");
        await connect();
      },
      disconnect: () => note("disconnect").then(resolve),
    };
    const consumer = {
      ...both,
      events: {},
      on: () => () => {},
      subscribe: () => note("subscribe"),
      run: () => note("run"),
      stop: () => note("stop"),
    };
    const kafka = {
      consumer: ({ partitionAssigners }: ConsumerConfig) => {
        const given = { cluster: this.#cluster(both) } as unknown as Parameters<
          NonNullable<typeof partitionAssigners>[number]
        >[0];
        partitionAssigners?.[0]?.(given);
        return consumer as unknown as Consumer;
      },
    } as unknown as Kafka;
    this.client = { kafka, lifetime: new ClientLifetime(), requestTimeoutMs: 30_000 };
  }

  /** The batches that were stored. */
  get batches(): readonly SentBatch[] {
    return this.requests.flat();
  }

  #cluster(both: Pick<Consumer, "connect" | "disconnect">): Cluster {
    const { leaderOf = () => 1 } = this.#options;
    let connected = true;
    const done = () => Promise.resolve();
    const broker = {
      connectionPool: {
        host: "h",
        port: 1,
        send: (exchange: Exchange<unknown>) => this.#send(exchange),
      },
      disconnect: done,
      initProducerId: () => Promise.resolve({ producerId: String(++this.#ids), producerEpoch: 0 }),
    };
    const cluster: Partial<Cluster> = {
      ...both,
      addTargetTopic: done,
      refreshMetadata: done,
      refreshMetadataIfNecessary: done,
      isConnected: () => connected,
      removeBroker: () => void (connected = false),
      findTopicPartitionMetadata: () =>
        Array.from({ length: 10 }, (_, partitionId) => ({
          partitionId,
          leader: leaderOf(partitionId),
          partitionErrorCode: 0,
          replicas: [],
          isr: [],
        })),
    };
    const find = () => Promise.resolve(broker);
    return { ...cluster, findBroker: find, findControllerBroker: find } as unknown as Cluster;
  }

  async #send({ request, response }: Exchange<unknown>): Promise<unknown> {
    this.calls.push("send");
    const { buffer } = await request.encode();
    const batches = await readRequest(buffer.slice());
    const refused = await this.#options.send?.(batches) ?? new Map<number, number>();
    const answers = batches.map(({ partition, values }) => {
      const code = refused.get(partition) ?? 0;
      const offset = code === 0 ? this.#next : -1;
      if (code === 0) this.#next += values.length;
      return { partition, code, offset };
    });
    this.requests.push(batches.filter(({ partition }) => !refused.has(partition)));
    return await response.parse(await response.decode(answerBytes(answers)));
  }
}

/** Reads the bytes of a request to produce, after its head. */
async function readRequest(bytes: Uint8Array): Promise<SentBatch[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  let at = 2 + 2 + 4 + 4; // no transaction, acks, the time, one topic
  at += 2 + view.getInt16(at) + 4;
  const batches: SentBatch[] = [];
  while (at < bytes.length) {
    const partition = view.getInt32(at);
    const size = view.getInt32(at + 4);
    const fetched = await read(bytes.subarray(at + 8, at += 8 + size));
    const { producerId, baseSequence } = fetched.batches[0]!;
    const values = all(fetched).map(({ value }) => new TextDecoder().decode(value!));
    batches.push({ partition, producerId, baseSequence, values });
  }
  return batches;
}

/** Writes the answer, of version 7, to a request to produce to topic "t". */
function answerBytes(
  answers: readonly {
    readonly partition: number;
    readonly code: number;
    readonly offset: number;
  }[],
): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 + 3 + 4 + answers.length * 30 + 4));
  view.setInt32(0, 1);
  view.setInt16(4, 1);
  view.setInt32(7, answers.length);
  for (const [i, { partition, code, offset }] of answers.entries()) {
    const at = 11 + i * 30;
    view.setInt32(at, partition);
    view.setInt16(at + 4, code);
    view.setBigInt64(at + 6, BigInt(offset));
  }
  return new Uint8Array(view.buffer);
}
