import { FlowError } from "../../errors.ts";
import { describe } from "../../redact.ts";
import type { FlowFailure } from "../../types.ts";
import { openSink, type SinkPort, type SinkTarget } from "../../flow/source/feed.ts";
import type { Host } from "../../flow/source/host.ts";
import type { Header, ProducerRecord } from "../client/broker.ts";
import { Message } from "./message.ts";

/** A record for a topic as a sink whose bytes are sent as they are. */
export class RawRecord {
  /** Takes the record. */
  constructor(readonly record: ProducerRecord) {}
}

/** What the headers of a dead letter begin with. */
const PREFIX = "dead-letter-";
/** What they tell; other headers of the message stay as they are, whatever their name. */
const FACTS = ["error", "step", "flow", "topic", "partition", "offset", "time"] as const;
const OURS: ReadonlySet<string> = new Set(FACTS.map((fact) => `${PREFIX}${fact}`));
/** Characters of an error's text that are kept. */
const MAX_TEXT = 2_000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Returns whether a topic was given an error that met `onError`, to be kept as a dead letter. */
export function isFlowFailure(value: unknown): value is FlowFailure {
  return value instanceof FlowError;
}

/** The message of a topic that an error is about; behind a Proxy the one that the value was made from. */
function messageOf({ root, input, origin }: FlowFailure): Message<unknown> | undefined {
  return [origin, root, input].find((value) => value instanceof Message);
}

/**
 * Makes the dead letter of a message: its bytes, key, headers and time as they were, and headers for the
 * error, the flow, where the message came from, and the time of the failure. Undefined when there is no
 * message of a topic.
 */
export function toDeadLetter(failure: FlowFailure, now: number): ProducerRecord | undefined {
  const message = messageOf(failure);
  if (message === undefined) return undefined;
  const { key, value, headers, timestamp } = message.record;
  const kept = headers.filter(([name]) => !OURS.has(name));
  return { key, value, timestamp, headers: [...kept, ...headersOf(failure, now, message)] };
}

/** The dead letters of one sink: a message has one for each flow, however much of it fails there. */
export class DeadLetters {
  readonly #flows = new WeakMap<Message<unknown>, Set<string | undefined>>();

  /** Calls `write` for the first failure of a message in a flow; again where that has failed. */
  once(failure: FlowFailure, write: () => void | Promise<void>): void | Promise<void> {
    const message = messageOf(failure);
    if (message === undefined) return write();
    const flows = this.#flows.getOrInsertComputed(message, () => new Set());
    if (flows.has(failure.flow)) return;
    flows.add(failure.flow);
    const refused = (error: unknown) => {
      flows.delete(failure.flow);
      throw error;
    };
    try {
      return write()?.catch(refused);
    } catch (error) {
      return refused(error);
    }
  }
}

/** The headers that a dead letter has beside those of its message. */
export function headersOf(failure: FlowFailure, now: number, message?: Message<unknown>): Header[] {
  const { cause } = failure;
  const facts: Record<typeof FACTS[number], string | undefined> = {
    error: String(cause ?? failure).slice(0, MAX_TEXT),
    step: failure.name,
    flow: failure.flow,
    topic: message?.topic,
    partition: message?.partition.toString(),
    offset: message?.offset.toString(),
    time: new Date(now).toISOString(),
  };
  return FACTS.flatMap((name) => {
    const fact = facts[name];
    return fact === undefined ? [] : [[`${PREFIX}${name}`, encoder.encode(fact)] as const];
  });
}

/** A topic that dead letters can be sent back to: any {@linkcode Topic}. */
export type DeadLetterOrigin = SinkTarget<never> & {
  /** Its name. */
  readonly name: string;
};

/**
 * Makes a sink that sends dead letters back to the topics that they came from, in their original form; the partition
 * is chosen again, by the key.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App, deadLetter } from "@slipstream/slipstream";
 * import { redrive, Topic } from "@slipstream/slipstream/kafka";
 * import { MemoryBroker } from "@slipstream/slipstream/memory";
 *
 * await using broker = new MemoryBroker();
 * const options = { broker, groupId: "demo", offset: "earliest" } as const;
 * await using orders = new Topic("orders", options);
 * await using dead = new Topic("dead", options);
 * await orders.send({ key: "a", value: "1" });
 *
 * let fixed = false;
 * const app = new App();
 * app.handle(orders, ({ value }) => {
 *   if (fixed) return void app.close();
 *   fixed = true;
 *   throw new TypeError(`cannot read ${value}`);
 * }, { onError: deadLetter(dead) });
 * app.handle(dead, (letter) => letter, { sink: redrive(orders) });
 * await app.stream();
 * assertEquals((await orders.offsets()).get(0)?.high, 2);
 * ```
 *
 * @param topics The topics, each once.
 * @throws {TypeError} If something is not a topic. From the sink: if a message is not a dead letter, or of a topic that was not given.
 */
export function redrive(...topics: DeadLetterOrigin[]): SinkTarget<Message<unknown, unknown>> {
  for (const topic of topics) {
    if (typeof topic?.[openSink] === "function" && typeof topic.name === "string") continue;
    throw new TypeError(
      `Cannot redrive dead letters to ${
        describe(topic)
      }: write sink: redrive(topic), with the topics that ` +
        "they came from",
    );
  }
  const byName = new Map(topics.map((topic) => [topic.name, topic]));
  return {
    [openSink](host: Host): SinkPort<Message<unknown, unknown>> {
      const ports = new Map<string, SinkPort<unknown>>();
      for (const [name, topic] of byName) {
        ports.set(name, topic[openSink](host) as SinkPort<unknown>);
      }
      // Also when one fails, all are waited for: nothing may be flushed again before it has settled.
      const all = async (step: "flush" | "close") => {
        const steps = [...ports.values()].map(async (port) => await port[step]?.());
        for (const done of await Promise.allSettled(steps)) {
          if (done.status === "rejected") throw done.reason;
        }
      };
      return {
        write(letter) {
          const origin = originOf(letter);
          const port = ports.get(origin);
          if (port !== undefined) return port.write(new RawRecord(unmarked(letter)));
          throw new TypeError(
            `Cannot redrive a dead letter to topic "${origin}": pass that topic to redrive()`,
          );
        },
        flush: () => all("flush"),
        patienceMs: Math.max(0, ...[...ports.values()].map(({ patienceMs = 0 }) => patienceMs)),
        close: () => all("close"),
      };
    },
  };
}

function originOf(letter: Message<unknown, unknown>): string {
  const name = letter.headers.get(`${PREFIX}topic`);
  if (name) return decoder.decode(name);
  throw new TypeError(
    `Cannot redrive offset ${letter.offset} of topic "${letter.topic}": it is not a dead letter`,
  );
}

function unmarked({ record }: Message<unknown, unknown>): ProducerRecord {
  const { key, value, headers, timestamp } = record;
  return { key, value, timestamp, headers: headers.filter(([name]) => !OURS.has(name)) };
}
