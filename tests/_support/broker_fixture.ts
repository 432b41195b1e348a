import type { Broker } from "../../src/kafka/client/broker.ts";
import { unique } from "./kafka.ts";

/** An implementation under test. */
export interface BrokerFixture {
  /** Begins the names of its tests. */
  readonly name: string;
  /** Registers a test. */
  readonly test: (name: string, body: () => Promise<void>) => void;
  /** Makes a broker. */
  readonly open: () => Broker;
  /** Adds partitions to a topic. */
  readonly grow: (broker: Broker, topic: string, partitions: number) => Promise<void>;
  /** Creates a topic whose partition 0 holds the values "a" and "b" and ends with a hole. */
  readonly createWithHoles: (broker: Broker, topic: string) => Promise<void>;
  /** Leaves offsets that no reader is shown at the end of partition 0. */
  readonly skip: (broker: Broker, topic: string) => Promise<void>;
}

/** Returns what registers tests of one implementation: each has a broker and a topic's name of its own. */
export function contractTest(
  { name, test, open }: BrokerFixture,
): (title: string, body: (broker: Broker, topic: string) => Promise<void>) => void {
  return (title, body) =>
    test(`${name} ${title}`, async () => {
      await using broker = open();
      await body(broker, unique("contract"));
    });
}
