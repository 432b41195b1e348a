/**
 * What a request to produce has stored, also when it failed: kafkajs 2.2.4 throws the answer of a broker away
 * when one of its partitions was refused, and those of all brokers when one of them did not answer; it does
 * not wait for one that is still to answer. What was accepted would be sent again.
 */
import Broker from "kafkajs/src/broker/index.js";
import v3 from "kafkajs/src/protocol/requests/produce/v3/response.js";
import v4 from "kafkajs/src/protocol/requests/produce/v4/response.js";
import v5 from "kafkajs/src/protocol/requests/produce/v5/response.js";
import v6 from "kafkajs/src/protocol/requests/produce/v6/response.js";
import v7 from "kafkajs/src/protocol/requests/produce/v7/response.js";

/** What a broker answered of one partition. */
interface PartitionAnswer {
  readonly partition: number;
  readonly errorCode: number;
  readonly baseOffset: string;
}

interface Answer {
  readonly topics: readonly { readonly partitions: readonly PartitionAnswer[] }[];
}

interface Response {
  parse(answer: Answer): Promise<Answer>;
}

interface Request {
  readonly topicData: readonly {
    readonly partitions: readonly { readonly messages: readonly Confirmable[] }[];
  }[];
}

/** Tells of each partition that was stored, at each answer, and the offset of its first message. */
export type Confirm = (partition: number, baseOffset: number) => void;

/** The property of a message for kafkajs that is told what was stored of its request. */
export const CONFIRM: unique symbol = Symbol("confirm");

/** A message for kafkajs; those of one batch have the same function. */
export interface Confirmable {
  /** Is told what was stored. */
  readonly [CONFIRM]?: Confirm;
}

/** The answers that were thrown away, by the errors that were thrown instead. */
const refused = new WeakMap<object, Answer>();

for (const response of new Set<Response>([v3, v4, v5, v6, v7])) {
  const { parse } = response;
  response.parse = async (answer) => {
    try {
      return await parse(answer);
    } catch (error) {
      refused.set(error as object, answer);
      throw error;
    }
  };
}

const broker: { produce(request: Request): Promise<Answer> } = Broker.prototype;
const { produce } = broker;

/** The requests of each batch: one for each broker, and more where it was tried again. */
const requests = new WeakMap<Confirm, Promise<Answer>[]>();

broker.produce = async function (request: Request): Promise<Answer> {
  const confirm = request.topicData[0]?.partitions[0]?.messages[0]?.[CONFIRM];
  const asked = produce.call(this, request);
  if (confirm === undefined) return await asked;
  const all = requests.getOrInsertComputed(confirm, () => []);
  all.push(asked);
  try {
    const answer = await asked;
    tell(answer, confirm);
    return answer;
  } catch (error) {
    tell(refused.get(error as object), confirm);
    // kafkajs tries again at once, and would ask the brokers twice that have not answered yet.
    await Promise.allSettled(all);
    throw error;
  }
};

function tell(answer: Answer | undefined, confirm: Confirm): void {
  for (const { partitions } of answer?.topics ?? []) {
    for (const { partition, errorCode, baseOffset } of partitions) {
      if (errorCode === 0) confirm(partition, Number(baseOffset));
    }
  }
}
