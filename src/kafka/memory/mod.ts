/**
 * The embedded broker: Kafka in the memory of one process, for examples, tests and programs that need no
 * server yet. The types of its options and results are in the entry `./kafka`, which loads no Kafka client before one
 * is used.
 *
 * @example
 * ```ts
 * import { MemoryBroker } from "@slipstream/slipstream/memory";
 *
 * await using broker = new MemoryBroker({ partitions: 4 });
 * await broker.ensure("emoji", {});
 * ```
 *
 * @module
 */
export { MemoryBroker, type MemoryBrokerOptions } from "./broker.ts";
