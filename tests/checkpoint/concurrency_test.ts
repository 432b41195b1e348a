/** Rule 7 of docs/concurrency.md: a checkpoint counts in the order of its sources, whatever is finished first. */
import { assertEquals } from "@std/assert";
import { Dependency } from "../../mod.ts";
import { toCheckpointSettings } from "../../src/checkpoint/checkpoint_options.ts";
import { CheckpointState } from "../../src/checkpoint/checkpoint_state.ts";
import { recordOf, restore } from "../../src/checkpoint/record.ts";
import { ReplayTracker } from "../../src/checkpoint/replay_tracker.ts";
import { SourceOrder, Ticket } from "../../src/checkpoint/source_order.ts";
import { Gate } from "../../src/flow/source/gate.ts";
import { Receipt } from "../../src/flow/source/receipt.ts";
import { correctionOf } from "../../src/flow/stage/correction.ts";
import { type Weather, World } from "../_support/join_world.ts";
import { Log, LogSource } from "../_support/log_source.ts";

const width = { max: 4, by: "none" } as const;

/** Steps of handlers that wait until they are let go, by number. */
class Waits {
  readonly #waits = new Map<number, PromiseWithResolvers<void>>();

  /** Waits for its turn, where `number` is to wait. */
  readonly of = (number: number): Promise<void> | undefined => this.#waits.get(number)?.promise;

  hold(...numbers: number[]): this {
    for (const number of numbers) this.#waits.set(number, Promise.withResolvers<void>());
    return this;
  }

  go(number: number): void {
    this.#waits.get(number)!.resolve();
    this.#waits.delete(number);
  }
}

Deno.test("rule 7: a pulse of an earlier message forgets no result of a later one", async () => {
  const world = new World();
  const waits = new Waits().hold(0);
  const process = world.start({
    concurrency: { questions: width },
    beforePulse: ({ offset }) => waits.of(offset),
  });
  world.say(0, "sun");
  await process.rest();
  world.ask([5, 6, 7]);
  await process.rest();
  assertEquals(process.log, ["0:1 sun", "0:2 sun"]);
  waits.go(0);
  await process.rest();
  world.say(7, "rain");
  world.say(30, "snow");
  await process.rest();
  assertEquals(process.log.slice(2), ["0:0 sun", "0:2 rain again"]);
  await process.close();
});

Deno.test("rule 7: state and stateMarker are those of the last position, whichever pulses last", async () => {
  const world = new World();
  const waits = new Waits().hold(0);
  const process = world.start({
    concurrency: { questions: width },
    beforePulse: ({ offset }) => waits.of(offset),
  });
  world.ask([5, 6]);
  await process.rest();
  waits.go(0);
  await process.rest();
  assertEquals(process.log, ["0:1 ?", "0:0 ?"]);
  assertEquals([process.checkpoint.stateMarker, process.checkpoint.state], [6, { 0: 1 }]);
  await process.close();
});

Deno.test("rule 7: the frontier passes no message that was taken, though later ones are done before its heartbeat", async () => {
  const world = new World();
  const waits = new Waits().hold(10);
  const process = world.start({
    concurrency: { weathers: width },
    beforeBeat: ({ time }: Weather) => waits.of(time),
  });
  world.say(0, "sun");
  await process.rest();
  world.say(10, "rain");
  world.say(20, "snow");
  await process.rest();
  world.ask([15]);
  await process.rest();
  assertEquals([process.dependency.frontier, process.log], [0, ["0:0 sun"]]);
  waits.go(10);
  await process.rest();
  assertEquals(process.dependency.frontier, 20);
  assertEquals([process.log, process.events.filter(({ type }) => type === "late")], [
    ["0:0 sun", "0:0 rain again"],
    [],
  ]);
  await process.close();
});

Deno.test("rule 7: a heartbeat counts when a message before it is done that gives none, though nothing else comes", async () => {
  const world = new World();
  const waits = new Waits().hold(10);
  const process = world.start({
    checkpoint: { mode: "wait", time: ({ value }) => value.time },
    concurrency: { weathers: width },
    isUnheard: ({ time }) => time === 10,
    beforeBeat: ({ time }: Weather) => waits.of(time),
  });
  world.say(10, "rain");
  world.say(20, "snow");
  world.ask([15]);
  await process.rest();
  assertEquals(process.log, []);
  waits.go(10);
  await process.rest();
  assertEquals([process.dependency.frontier, process.log], [20, ["0:0 rain"]]);
  await process.close();
});

Deno.test("rule 7: what is done behind an open message of a dependency is not kept as stored", async () => {
  const world = new World();
  const waits = new Waits().hold(10);
  const options = {
    concurrency: { weathers: width },
    beforeBeat: ({ time }: Weather) => waits.of(time),
  };
  const first = world.start(options);
  world.say(0, "sun");
  world.say(10, "rain");
  world.say(20, "snow");
  await first.rest();
  world.ask([15]);
  await first.rest();
  await world.clock.tick(1000);
  await first.rest();
  await first.crash();
  const second = world.start(options);
  await second.rest();
  assertEquals(second.dependency.frontier, 0);
  waits.go(10);
  await second.rest();
  assertEquals(second.dependency.frontier, 20);
  assertEquals(second.log.at(-1), "0:0 rain again");
  assertEquals(second.events.filter(({ type }) => type === "late"), []);
  await second.close();
});

Deno.test("rule 7: a correction waits until no message of the dependent is open, and moves back once", async () => {
  const world = new World();
  const waits = new Waits().hold(0);
  const process = world.start({
    concurrency: { questions: width },
    beforeAnswer: ({ offset }) => waits.of(offset),
  });
  world.say(0, "sun");
  await process.rest();
  world.ask([5, 6]);
  await process.rest();
  world.say(5, "rain");
  world.say(30, "snow");
  await process.rest();
  assertEquals([process.log, process.questions.sought], [["0:1 sun"], []]);
  waits.go(0);
  await process.rest();
  assertEquals(process.questions.sought, [{ 0: 0 }]);
  assertEquals(process.log.slice(2).toSorted(), ["0:0 rain again", "0:1 rain again"]);
  await process.close();
});

Deno.test("rule 7: applied is where no message is missing, and what is done behind that is marked when it comes again", () => {
  const gate = new Gate();
  gate.attach({ seek: () => {} });
  gate.lookAhead = { waits: () => false, forget: () => {} };
  const tracker = new ReplayTracker(gate);
  const moved: number[] = [];
  tracker.listeners.add({ moved: (_, position) => moved.push(position), caughtUp: () => {} });
  const take = (offset: number) => {
    const message = { partition: 0, offset };
    const receipt = new Receipt(() => {});
    tracker.begin(message, receipt);
    return { receipt, until: correctionOf(message)?.until };
  };
  gate.startAt(0, 10);
  const [a, b, c] = [10, 11, 12].map((offset) => take(offset).receipt);
  c!.release();
  assertEquals(tracker.records.get(0), { cursor: 10, applied: 10, done: [12] });
  // The partition is away for a moment: 10 was not begun, and 11 and 12 are not begun again.
  tracker.dropped(a!);
  gate.startAt(0, 10);
  b!.release();
  assertEquals(moved, [10, 13]); // results at 11 and 12 are not made again by themselves
  assertEquals(tracker.records.get(0), { cursor: 10, applied: 10, done: [11, 12] });
  assertEquals(tracker.idle(), undefined);
  // A correction begins no later than what was never handled.
  assertEquals(tracker.moveBack(new Map([[0, 12]]), ["rates"]).from, { 0: 10 });
  assertEquals(tracker.behind, true);
  const again = [10, 11, 12, 13].map(take);
  assertEquals(again.map(({ until }) => until), [undefined, 13, 13, undefined]);
  for (const { receipt } of again) receipt.release();
  assertEquals(tracker.records.get(0), { cursor: 14, applied: 14 });
  assertEquals(tracker.behind, false);
});

Deno.test("rule 7: a cut keeps what is done behind applied, and the next process forgets no result of it", () => {
  const state = () => {
    const settings = toCheckpointSettings("c", {
      dependent: new LogSource(new Log<number>()),
      dependencies: [new Dependency("rates", [1])],
      correct: true,
    });
    const state = new CheckpointState({} as never, "c", settings);
    state.tracker.listeners.add({
      moved: (partition, position) => state.results.rewind(partition, position),
      caughtUp: () => {},
    });
    return state;
  };
  const first = state();
  first.gate.startAt(0, 10);
  for (const offset of [10, 11, 12]) {
    const receipt = new Receipt(() => {});
    first.tracker.begin({ partition: 0, offset }, receipt);
    first.results.add(0, offset, 10 * offset);
    if (offset === 12) receipt.release();
  }
  assertEquals(recordOf(first, undefined).partitions[0]!.done, undefined); // it is handled again
  const cut = recordOf(first, undefined, true);
  assertEquals(cut.partitions[0]!.done, [12]);
  const second = state();
  restore(second, cut);
  second.gate.startAt(0, 10);
  second.results.markStale(120);
  assertEquals(second.results.stale, new Map([[0, 12]])); // 12 is not handled again by itself
});

Deno.test("SourceOrder keeps the place of a dropped message until it comes again, or cannot", () => {
  const passed: number[] = [];
  const order = new SourceOrder(
    0,
    (position) => new Ticket(position),
    (ticket) => passed.push(ticket.position),
  );
  const [a, b, c] = [order.add(0), order.add(1), order.add(5)];
  order.done(c);
  order.drop(a);
  order.done(b);
  assertEquals([order.position, order.size, order.beyond, passed], [0, 3, [1, 5], []]);
  order.done(order.add(0));
  assertEquals([order.position, order.next, order.size, passed], [6, 6, 0, [0, 1, 5]]);
  const [d, e] = [order.add(6), order.add(7)];
  order.done(e);
  order.begin(7); // reading goes on behind it
  assertEquals(order.position, 6);
  order.drop(d); // noticed only now
  assertEquals([order.position, order.size], [8, 0]);
});

Deno.test("SourceOrder knows a message that was done and comes again before it is passed", () => {
  const order = new SourceOrder(0, (position) => new Ticket(position));
  const [a, b] = [order.add(0), order.add(1)];
  order.done(b);
  const again = order.add(1);
  assertEquals(again.again, true);
  const [c, third] = [order.add(2), order.add(2)];
  assertEquals(third.again, false);
  order.done(c); // only now
  assertEquals(third.again, true);
  order.done(a);
  assertEquals(order.position, 1); // the new one stands for the old one
  order.done(again);
  assertEquals(order.position, 2);
});

Deno.test("SourceOrder passes with a ticket all those that it stands for", () => {
  const passed: Ticket[] = [];
  const order = new SourceOrder(0, (position) => new Ticket(position), (it) => passed.push(it));
  const [first, second, third] = [order.add(0), order.add(0), order.add(0)];
  order.done(first);
  order.done(second);
  assertEquals(passed, []);
  order.done(third);
  assertEquals(new Set(passed), new Set([first, second, third]));
});

Deno.test("SourceOrder gives a message its place back when that does not come again after all", () => {
  const passed: Ticket[] = [];
  const order = new SourceOrder(0, (position) => new Ticket(position), (it) => passed.push(it));
  const [first, second] = [order.add(0), order.add(1)];
  order.done(first);
  const [inFlight, third] = [order.add(2), order.add(3)];
  const again = [order.add(1), order.add(2), order.add(3)];
  order.done(third);
  for (const ticket of again) order.drop(ticket);
  order.begin(4);
  assertEquals([order.position, order.size, passed], [1, 3, [first]]);
  order.done(second);
  order.done(inFlight);
  assertEquals([order.position, passed], [4, [first, second, inFlight, third]]);
});
