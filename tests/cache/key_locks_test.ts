import { assertEquals, assertGreater } from "@std/assert";
import fc from "fast-check";
import { type KeyLock, KeyLocks } from "../../src/cache/key_locks.ts";

/** A transaction that is in flight: it holds the keys of its lock, or waits for them. */
interface Nested {
  keys: string[];
  lock: KeyLock;
}

/**
 * Transactions that nest others, one inner at a time. Says who waits, and who always will, by trying: who
 * waits for no one and has no inner one ends, until no one can.
 */
class World {
  readonly locks = new KeyLocks();
  readonly stacks: Nested[][] = [[], [], [], []];
  /** In the order in which they entered. */
  entered: Nested[] = [];

  enter(stack: Nested[], keys: string[]): Nested {
    const nested = { keys, lock: this.locks.request(new Set(keys), stack.at(-1)?.lock) };
    stack.push(nested);
    this.entered.push(nested);
    return nested;
  }

  leave(stack: Nested[]): void {
    const nested = stack.pop()!;
    nested.lock.release();
    this.entered = this.entered.filter((other) => other !== nested);
  }

  waits(nested: Nested, entered = this.entered): boolean {
    const before = entered.slice(0, entered.indexOf(nested));
    return before.some((other) => other.keys.some((key) => nested.keys.includes(key)));
  }

  waitsForEver(nested: Nested): boolean {
    const stacks = this.stacks.map((stack) => [...stack]);
    let entered = this.entered;
    for (;;) {
      const ending = stacks.find((stack) =>
        stack.length > 0 && !this.waits(stack.at(-1)!, entered)
      );
      if (ending === undefined) return entered.includes(nested);
      const ended = ending.pop();
      entered = entered.filter((other) => other !== ended);
    }
  }
}

Deno.test("KeyLock.deadlock() is told of exactly the locks that would be waited for without end", () => {
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
        const nested = world.enter(stack, keys);
        const deadlock = nested.lock.deadlock();
        assertEquals(deadlock !== undefined, world.waitsForEver(nested));
        if (deadlock === undefined) continue;
        found[deadlock.owner]++;
        assertEquals(keys.includes(deadlock.key), true);
        const own = stack.slice(0, -1).some((outer) => outer.keys.includes(deadlock.key));
        assertEquals(deadlock.owner, own ? "outer" : "other");
        world.leave(stack);
      }
    }),
    { numRuns: 2_000 },
  );
  assertGreater(Math.min(found.outer, found.other), 100);
});
