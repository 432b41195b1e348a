import { Checkpoint, type CheckpointOptions, Dependency } from "@slipstream/slipstream";
import { type Message, Topic } from "@slipstream/slipstream/kafka";
import { MemoryBroker } from "@slipstream/slipstream/memory";

/** What a test says of the checkpoint of {@linkcode pricedOrders}. */
export type PricedOptions = Omit<CheckpointOptions<Message>, "dependent" | "dependencies"> & {
  /** @default {"priced"} */
  readonly name?: string;
  /** After so much event time without a rate the dependency is down, in milliseconds. */
  readonly downtimeThreshold?: number;
  /** How many milliseconds a value of 1 is. @default {1} */
  readonly unit?: number;
  /** @default {1} */
  readonly orderPartitions?: number;
};

/** Two topics in memory, orders that are priced by rates, and a checkpoint between them. Their values are times. */
export async function pricedOrders(
  { name = "priced", downtimeThreshold, unit = 1, orderPartitions = 1, ...options }: PricedOptions =
    {},
) {
  const broker = new MemoryBroker();
  const reading = { broker, groupId: "g", offset: "earliest" } as const;
  const rates = new Topic("rates", reading);
  const orders = new Topic("orders", reading);
  await rates.ensure();
  await orders.ensure({ partitions: orderPartitions });
  const threshold = downtimeThreshold === undefined ? {} : { downtimeThreshold };
  const checkpoint = new Checkpoint(name, {
    dependent: orders,
    dependencies: [new Dependency("rates", rates, threshold)],
    ...options,
  });
  return {
    broker,
    rates,
    orders,
    checkpoint,
    /** Handles a rate. */
    async rate({ value }: { readonly value: string }): Promise<void> {
      await checkpoint.heartbeat(Number(value) * unit);
    },
    /** Handles an order. */
    async price({ value }: { readonly value: string }): Promise<void> {
      await checkpoint.checkPulse(Number(value) * unit);
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await orders[Symbol.asyncDispose]();
      await rates[Symbol.asyncDispose]();
      await broker[Symbol.asyncDispose]();
    },
  };
}
