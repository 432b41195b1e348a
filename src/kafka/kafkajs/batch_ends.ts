/**
 * A repair of kafkajs 2.2.4, which reads records and forgets the batches that they came in: where compaction
 * has left an empty batch, its reader asks for the same one for ever; behind a batch whose last records
 * are gone it asks once more for each.
 *
 * To what it decodes of a partition this adds a control record, which nobody is shown, at the last offset of
 * the last batch, where there is no record. A batch that did not come whole is not looked at.
 */
import type { Buffer } from "node:buffer";
import v4 from "kafkajs/src/protocol/requests/fetch/v4/response.js";
import v5 from "kafkajs/src/protocol/requests/fetch/v5/response.js";
import v6 from "kafkajs/src/protocol/requests/fetch/v6/response.js";
import v7 from "kafkajs/src/protocol/requests/fetch/v7/response.js";
import v8 from "kafkajs/src/protocol/requests/fetch/v8/response.js";
import v9 from "kafkajs/src/protocol/requests/fetch/v9/response.js";
import v10 from "kafkajs/src/protocol/requests/fetch/v10/response.js";
import v11 from "kafkajs/src/protocol/requests/fetch/v11/response.js";

interface Message {
  readonly offset: string;
}

interface Answer {
  readonly responses: readonly {
    readonly partitions: readonly { readonly messages: Message[] }[];
  }[];
}

interface Response {
  decode(raw: Buffer): Promise<Answer>;
}

for (const [index, response] of ([v4, v5, v6, v7, v8, v9, v10, v11] as Response[]).entries()) {
  const { decode } = response;
  response.decode = async (raw) => {
    const answer = await decode(raw);
    addEnds(answer, raw, 4 + index);
    return answer;
  };
}

function addEnds({ responses }: Answer, raw: Buffer, version: number): void {
  const ends = endsOf(raw, version);
  for (const { partitions } of responses) {
    for (const { messages } of partitions) {
      const end: bigint | undefined = ends.next().value!;
      const last = messages.at(-1);
      if (end === undefined || (last !== undefined && BigInt(last.offset) >= end)) continue;
      messages.push(controlRecord(String(end)));
    }
  }
}

/** Yields the last offset of the last whole batch of each partition, in the order of the answer. */
function* endsOf(raw: Buffer, version: number): Generator<bigint | undefined, void> {
  // The throttle time; the error and the session. https://kafka.apache.org/protocol#The_Messages_Fetch
  let at = version >= 7 ? 10 : 4;
  const int32 = () => raw.readInt32BE((at += 4) - 4);
  for (let topics = int32(); topics > 0; topics--) {
    at += 2 + raw.readInt16BE(at); // its name
    for (let partitions = int32(); partitions > 0; partitions--) {
      at += version >= 5 ? 30 : 22; // its number, an error and offsets
      const aborted = Math.max(0, int32()); // transactions
      at += 16 * aborted;
      if (version >= 11) at += 4; // the preferred replica
      const size = Math.max(0, int32());
      yield lastOffset(raw, at, at + size);
      at += size;
    }
  }
}

/** The bytes before the length of a batch is counted, and the fewest that it can have. */
const BEFORE_LENGTH = 12, LEAST_LENGTH = 49;

/** Returns the last offset of the last whole batch in a part of `raw`; undefined without one, or in an old format. */
function lastOffset(raw: Buffer, from: number, to: number): bigint | undefined {
  let last: bigint | undefined;
  for (let at = from; at + BEFORE_LENGTH + LEAST_LENGTH <= Math.min(to, raw.length);) {
    const next = at + BEFORE_LENGTH + raw.readInt32BE(at + 8);
    const magic = raw[at + 16];
    if (magic !== 2 || next > to || next < at + BEFORE_LENGTH + LEAST_LENGTH) break;
    last = raw.readBigInt64BE(at) + BigInt(raw.readInt32BE(at + 23));
    at = next;
  }
  return last;
}

function controlRecord(offset: string): Message & Record<string, unknown> {
  return {
    magicByte: 2,
    attributes: 0,
    timestamp: "0",
    offset,
    key: null,
    value: null,
    headers: {},
    isControlRecord: true,
    batchContext: { producerId: "-1", inTransaction: false, isControlBatch: true },
  };
}
