import { assertEquals } from "@std/assert";
import { PartitionReaders } from "../../src/kafka/topic/partition_reader.ts";
import { addSeek, Seeks } from "../../src/kafka/topic/seeks.ts";

Deno.test("PartitionReader.moveTo() is committed again, also beside a commit that is in flight", () => {
  const readers = new PartitionReaders();
  readers.begin(new Map([[0, 0]]), new Map([[0, 0]]), new Map());
  const reader = readers.get(0)!;
  reader.acks.done(reader.acks.open(1));
  const inFlight = readers.uncommitted()!;
  assertEquals([...inFlight.positions], [[0, 1]]);
  reader.moveTo(0, 1);
  inFlight.confirm();
  assertEquals([...readers.uncommitted()!.positions], [[0, 0]]);
});

Deno.test("Seeks.of() adds up the seeks from before the reading; one for all replaces those before it", () => {
  const first = addSeek(addSeek([], { 0: 4 }), { 1: 3 });
  assertEquals([...new Seeks(first).of([0, 1, 2])], [[0, { 0: 4 }], [1, { 1: 3 }]]);
  const all = addSeek(addSeek(first, "earliest"), { 1: 5 });
  assertEquals([...new Seeks(all).of([0, 1])], [[0, "earliest"], [1, { 1: 5 }]]);
});

Deno.test("Seeks.end() is false for a seek that a later one has taken over", () => {
  const seeks = new Seeks([]);
  const [earlier, later] = [{ 0: 4 }, { 0: 5 }];
  seeks.begin([0, 1], earlier);
  seeks.begin([0], later);
  assertEquals([seeks.end(0, earlier), seeks.end(1, earlier)], [false, true]);
  assertEquals([[...seeks.of([0, 1])], seeks.count], [[[0, later]], 2]);
});
