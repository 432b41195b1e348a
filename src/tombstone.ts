/**
 * The value of a message that deletes its key from a compacted topic: send it to delete a key, and read it where a
 * key was deleted. It bypasses the codec. `null` is a value like any other: it goes to the codec. A `Cache` that
 * is the sink of a flow deletes the key, too.
 *
 * @example
 * ```ts
 * import { JsonCodec } from "@slipstream/slipstream";
 * import { Topic, type Tombstone, tombstone } from "@slipstream/slipstream/kafka";
 * import { MemoryBroker } from "@slipstream/slipstream/memory";
 * import { assertEquals } from "@std/assert";
 *
 * await using broker = new MemoryBroker();
 * await using users = new Topic<string, string | null | Tombstone>("users", {
 *   broker,
 *   groupId: "demo",
 *   offset: "earliest",
 *   codec: new JsonCodec<string | null>(),
 * });
 * await users.send(["ada", null]); // the value null
 * await users.send(["ada", tombstone]); // no value any more
 * const read: unknown[] = [];
 * for await (const { value } of users) {
 *   read.push(value);
 *   if (value === tombstone) break;
 * }
 * assertEquals(read, [null, tombstone]);
 * ```
 */
export const tombstone: unique symbol = Symbol.for("slipstream.tombstone");

/** The type of {@linkcode tombstone}: include it in the value type of a topic with deletions. */
export type Tombstone = typeof tombstone;
