import { assertEquals, assertGreater } from "@std/assert";
import fc from "fast-check";
import { KeyQueue, type Place } from "../../src/cache/key_queue.ts";

/** A transaction that is in flight: it holds the keys of its place, or waits for them. */
interface Step {
  keys: string[];
  place: Place;
}

/**
 * Transactions that nest others, one inner at a time. Says who waits, and who always will, by trying: who
 * waits for no one and has no inner one ends, until no one can.
 */
class World {
  readonly queue = new KeyQueue();
  readonly stacks: Step[][] = [[], [], [], []];
  /** In the order in which they entered. */
  entered: Step[] = [];

  enter(stack: Step[], keys: string[]): Step {
    const step = { keys, place: this.queue.enter(new Set(keys), stack.at(-1)?.place) };
    stack.push(step);
    this.entered.push(step);
    return step;
  }

  leave(stack: Step[]): void {
    const step = stack.pop()!;
    step.place.leave();
    this.entered = this.entered.filter((other) => other !== step);
  }

  waits(step: Step, entered = this.entered): boolean {
    const before = entered.slice(0, entered.indexOf(step));
    return before.some((other) => other.keys.some((key) => step.keys.includes(key)));
  }

  waitsForEver(step: Step): boolean {
    const stacks = this.stacks.map((stack) => [...stack]);
    let entered = this.entered;
    for (;;) {
      const ending = stacks.find((stack) =>
        stack.length > 0 && !this.waits(stack.at(-1)!, entered)
      );
      if (ending === undefined) return entered.includes(step);
      const ended = ending.pop();
      entered = entered.filter((other) => other !== ended);
    }
  }
}

Deno.test("Place.deadlock() is told of exactly the places that would wait for ever", () => {
  const key: fc.Arbitrary<string> = fc.constantFrom("a", "b", "c", "d", "e");
  const keys = fc.uniqueArray(key, { minLength: 1, maxLength: 2 });
  const moves = fc.array(fc.record({ at: fc.nat(3), keys, leaves: fc.boolean() }), {
    minLength: 20,
    maxLength: 60,
  });
  const found = { outer: 0, other: 0 };
  fc.assert(
    fc.property(moves, (moves) => {
      const world = new World();
      for (const { at, keys, leaves } of moves) {
        const stack = world.stacks[at]!;
        const top = stack.at(-1);
        if (top !== undefined && world.waits(top)) continue;
        if (top !== undefined && leaves) {
          world.leave(stack);
          continue;
        }
        const step = world.enter(stack, keys);
        const deadlock = step.place.deadlock();
        assertEquals(deadlock !== undefined, world.waitsForEver(step));
        if (deadlock === undefined) continue;
        found[deadlock.holder]++;
        assertEquals(keys.includes(deadlock.key), true);
        const own = stack.slice(0, -1).some((outer) => outer.keys.includes(deadlock.key));
        assertEquals(deadlock.holder, own ? "outer" : "other");
        world.leave(stack);
      }
    }),
    { numRuns: 2_000 },
  );
  assertGreater(Math.min(found.outer, found.other), 100);
});
