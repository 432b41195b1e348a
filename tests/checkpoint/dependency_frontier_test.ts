import { assertEquals } from "@std/assert";
import { DependencyFrontier, type Heartbeat } from "../../src/checkpoint/dependency_frontier.ts";
import { Parts } from "../../src/checkpoint/dependency_parts.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import { Receipt, SharedReceipt } from "../../src/flow/source/receipt.ts";

Deno.test("Parts is as far as the least of its parts", () => {
  const parts = new Parts(["a", "b"], "hold");
  parts.store("a", 10, -1);
  assertEquals(parts.stored(undefined), -Infinity);
  parts.store("b", 4, -1);
  parts.store("b", 3, -1);
  assertEquals(parts.stored(undefined), 4);
});

Deno.test("Parts with idle partitions passed over goes on without those that have been read to their end", () => {
  const parts = new Parts([], "pass");
  parts.expect([{ partition: 0, caughtUp: false }, { partition: 1, caughtUp: false }]);
  parts.store(0, 10, -1);
  parts.store(1, 4, -1);
  const read = (first: boolean, second: boolean) => [
    { partition: 0, caughtUp: first },
    { partition: 1, caughtUp: second },
  ];
  assertEquals(parts.stored(read(false, false)), 4);
  assertEquals(parts.stored(read(false, true)), 10);
  assertEquals(parts.stored(read(true, false)), 4);
  assertEquals(parts.stored(read(true, true)), 10);
});

Deno.test("Parts forgets the whole once parts are known", () => {
  const parts = new Parts([], "hold");
  parts.store("", 0, -1);
  assertEquals([parts.names, parts.stored(undefined)], [[""], 0]);
  parts.expect([{ partition: 0, caughtUp: false }]);
  parts.store("", 5, -1); // begun before
  parts.store(0, 10, -1);
  assertEquals([parts.names, parts.stored(undefined)], [[0], 10]);
});

Deno.test("Parts keeps what it knew of a part that is not expected any more, which holds nothing", () => {
  const before = new Parts(["a", "b"], "hold");
  before.store("a", 10, -1);
  before.store("b", 10, -1);
  const parts = new Parts(["a"], "hold");
  parts.restore(before.marks);
  parts.store("a", 100, -1);
  assertEquals([parts.names, parts.stored(undefined)], [["a"], 100]);
  assertEquals(parts.marks.get("b")?.stored, 10);
  parts.store("b", 20, -1); // it is heard of again
  assertEquals(parts.stored(undefined), 20);
});

Deno.test("Parts takes a number as a text for the partition", () => {
  const parts = new Parts(["0", "01"], "hold");
  parts.expect([{ partition: 0, caughtUp: false }]);
  parts.store("0", 10, -1);
  parts.store("01", 20, -1);
  assertEquals([parts.names, parts.stored(undefined)], [[0, "01"], 10]);
});

Deno.test("Parts knows a message that is delivered again", () => {
  const parts = new Parts([], "hold");
  parts.store(0, 10, 7);
  assertEquals([6, 7, 8, -1].map((position) => parts.isKnown(0, position)), [
    true,
    true,
    false,
    false,
  ]);
});

/** Takes a message of a partition. */
function begin(frontier: DependencyFrontier, partition: number, offset: number) {
  const receipt = new Receipt(() => {}, offset + 1, partition);
  receipt.origin = { partition, offset };
  return { receipt, done: frontier.began(receipt.origin, receipt) };
}

function heartbeat(time: number, part: number | string): Heartbeat {
  return { time, parts: [part], position: -1, isMessage: true };
}

Deno.test("a message that was dropped holds no partition that goes on behind it", () => {
  const gate = gateOf({});
  gate.attach({
    parts: () => [{ partition: 0, caughtUp: true }, { partition: 1, caughtUp: true }],
  });
  const frontier = new DependencyFrontier(
    { parts: [], idleParts: "pass", outOfOrderness: 0 },
    gate,
  );
  const { receipt } = begin(frontier, 0, 3);
  for (const [time, part] of [[5, 0], [20, 1]] as const) {
    frontier.hear(time, part);
    frontier.store(heartbeat(time, part));
  }
  assertEquals(frontier.frontier, 5);
  frontier.dropped(receipt);
  frontier.advance();
  assertEquals(frontier.frontier, 5); // it may come again
  gate.startAt(0, 4); // others have handled it
  frontier.advance();
  assertEquals(frontier.frontier, 20);
});

Deno.test("a heartbeat for messages of two partitions counts once those before both are done", () => {
  const frontier = new DependencyFrontier(
    { parts: [], idleParts: "hold", outOfOrderness: 0 },
    gateOf({}),
  );
  const before = begin(frontier, 0, 9);
  const messages = [begin(frontier, 0, 10), begin(frontier, 1, 500)];
  const both = new SharedReceipt();
  for (const { receipt } of messages) both.add(receipt);
  const tickets = frontier.ticketsOf(both);
  frontier.hear(7, "");
  for (const { done } of messages) done();
  frontier.store(heartbeat(7, ""), tickets);
  assertEquals(frontier.frontier, -Infinity);
  before.done();
  assertEquals(frontier.frontier, 7);
});

Deno.test("a heartbeat holds the frontier, and the end of its source, until it counts", () => {
  const frontier = new DependencyFrontier(
    { parts: [], idleParts: "hold", outOfOrderness: 0 },
    gateOf({}),
  );
  const [before, late] = [begin(frontier, 0, 10), begin(frontier, 0, 11)];
  const tickets = frontier.ticketsOf(late.receipt);
  const open = heartbeat(50, 0);
  frontier.hear(50, 0);
  frontier.openHeartbeats.set(open, 50);
  late.done();
  frontier.store(open, tickets); // it waits for the one before it
  frontier.store(heartbeat(100, 0)); // of no message
  frontier.ended = true;
  assertEquals([frontier.frontier, frontier.isOver], [50, false]);
  before.done();
  assertEquals([frontier.frontier, frontier.isOver], [100, true]);
});

Deno.test("a heartbeat counts though its message came again, and then does not after all", () => {
  const gate = gateOf({});
  const frontier = new DependencyFrontier(
    { parts: [], idleParts: "hold", outOfOrderness: 0 },
    gate,
  );
  const first = begin(frontier, 0, 5);
  const tickets = frontier.ticketsOf(first.receipt);
  const open = heartbeat(100, 0);
  frontier.hear(100, 0);
  frontier.openHeartbeats.set(open, 100);
  const again = begin(frontier, 0, 5);
  first.done();
  frontier.store(open, tickets);
  assertEquals([frontier.frontier, frontier.openHeartbeats.size], [-Infinity, 1]);
  frontier.dropped(again.receipt); // before it began
  gate.startAt(0, 6);
  assertEquals([frontier.frontier, frontier.openHeartbeats.size], [100, 0]);
});

Deno.test("a heartbeat for a message that has come again counts when that one is done", () => {
  const frontier = new DependencyFrontier(
    { parts: [], idleParts: "hold", outOfOrderness: 0 },
    gateOf({}),
  );
  const first = begin(frontier, 0, 10);
  const tickets = frontier.ticketsOf(first.receipt);
  const again = begin(frontier, 0, 10);
  frontier.hear(7, "");
  first.done();
  frontier.store(heartbeat(7, ""), tickets);
  assertEquals(frontier.frontier, -Infinity);
  again.done();
  assertEquals(frontier.frontier, 7);
});
