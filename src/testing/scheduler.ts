import type { Clock } from "../clock.ts";
import { callback, number, readOptions, type Rules } from "../options.ts";
import { ManualClock, settle } from "./manual_clock.ts";
import { Random } from "./random.ts";

/** Options of {@linkcode Scheduler.run}. */
export interface RunOptions {
  /**
   * After how many steps a promise that is still pending counts as one that never settles.
   *
   * @default {100000}
   */
  maxSteps?: number | undefined;
  /**
   * Called before every step, when nothing can happen until something is picked: the place to check invariants. If it
   * throws, the run ends with that error.
   */
  onStep?: (() => void) | undefined;
}

const RULES = { maxSteps: number({ least: 0 }), onStep: callback } as const satisfies Rules<
  RunOptions
>;

/** Something that waits to be picked. */
interface Waiting {
  readonly name: string;
  readonly go: () => void;
}

/** How many of the last steps an error tells. */
const TOLD = 10;

/**
 * Decides from a seed in which order waiting tasks continue, so that each seed is another interleaving and the same
 * seed always the same one. No real time passes.
 *
 * - One task continues at a time: one that waits for {@linkcode Scheduler.turn}, or for a macrotask of
 *   `clock`, is picked at random once all promise jobs have run.
 * - Only when nothing waits, `clock` moves to its next timer.
 * - When there is no timer either, a promise that is still pending hangs: an error, at once.
 *
 * It is exact as long as everything that waits, waits for it, for its clock, or for a promise.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App } from "@slipstream/slipstream";
 * import { Scheduler } from "@slipstream/slipstream/testing";
 *
 * async function interleaved(seed: number) {
 *   const scheduler = new Scheduler(seed);
 *   const app = new App({ clock: scheduler.clock });
 *   const seen: string[] = [];
 *   for (const name of ["a", "b"]) {
 *     app.handle([1, 2], async (n) => {
 *       await scheduler.turn();
 *       seen.push(`${name}${n}`);
 *     }, { name });
 *   }
 *   await scheduler.run(app.stream());
 *   return seen.join(" ");
 * }
 * assertEquals(await interleaved(1), await interleaved(1));
 *
 * const orders = new Set<string>();
 * for (let seed = 0; seed < 50; seed++) orders.add(await interleaved(seed));
 * assertEquals([...orders].toSorted(), ["a1 a2 b1 b2", "a1 b1 a2 b2", "a1 b1 b2 a2", "b1 a1 a2 b2", "b1 a1 b2 a2",
 * "b1 b2 a1 a2"]);
 * ```
 */
export class Scheduler {
  /** The seed of the order. */
  readonly seed: number;
  /** Random numbers for the test itself, from the same seed. */
  readonly random: Random;
  /** Time and timers for the code under test; it moves only while the scheduler runs. */
  readonly clock: Clock;

  readonly #manual: ManualClock;
  readonly #order: Random;
  readonly #waiting: Waiting[] = [];
  readonly #steps: string[] = [];
  #step = 0;

  /**
   * Makes a scheduler with the interleavings of `seed`, at time 0.
   *
   * @throws {RangeError} If `seed` is not an integer from 0 to 2^32 - 1.
   */
  constructor(seed: number) {
    this.seed = seed;
    this.random = new Random(seed);
    this.#order = new Random(this.random.integer(2 ** 32));
    const manual = this.#manual = new ManualClock(0, () => this.#order.number());
    this.clock = {
      now: () => manual.now(),
      monotonic: () => manual.monotonic(),
      timer: (callback, ms) => manual.timer(callback, ms),
      macrotask: (callback) => this.#wait("a macrotask", callback),
      random: () => manual.random(),
    };
  }

  /** How many tasks wait to be picked. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#manual.pending;
  }

  /** How many steps were taken: picks, and moves of the clock. */
  get steps(): number {
    return this.#step;
  }

  /** Resolves when the scheduler picks it; errors call it `name`. */
  turn(name = "a turn"): Promise<void> {
    return new Promise((resolve) => this.#wait(name, resolve));
  }

  /**
   * Lets tasks continue, one after the other, until `promise` settles.
   *
   * @returns What `promise` resolves to.
   * @throws What `promise` rejects with.
   * @throws {Error} If nothing can continue while it is pending, or after `maxSteps`; the error names the seed and
   * the last steps.
   */
  async run<T>(promise: Promise<T>, options: RunOptions = {}): Promise<T> {
    let over = false;
    const finish = () => over = true;
    promise.then(finish, finish);
    await this.#until(() => over, options);
    return promise;
  }

  /** Lets everything that waits continue, timers too, until nothing waits; see {@linkcode Scheduler.run}. */
  drain(options: RunOptions = {}): Promise<void> {
    return this.#until(() => this.waiting === 0 && this.timers === 0, options);
  }

  async #until(over: () => boolean, options: RunOptions): Promise<void> {
    const { maxSteps = 100_000, onStep } = readOptions("Scheduler", options, RULES);
    for (let left = maxSteps;; left--) {
      await settle();
      onStep?.();
      if (over()) return;
      if (left <= 0) throw this.#error(`Cannot finish within ${maxSteps} steps`);
      if (!await this.#goOn()) {
        throw this.#error("Cannot continue: nothing is waiting for its turn");
      }
    }
  }

  #wait(name: string, go: () => void): void {
    this.#waiting.push({ name, go });
  }

  /** Takes one step; false when there is none to take. */
  async #goOn(): Promise<boolean> {
    if (this.#waiting.length === 0) return await this.#moveClock();
    const [picked] = this.#waiting.splice(this.#order.integer(this.#waiting.length), 1);
    this.#note(picked!.name);
    picked!.go();
    return true;
  }

  async #moveClock(): Promise<boolean> {
    const ms = this.#manual.next;
    if (ms === undefined) return false;
    this.#note(`${ms} ms pass`);
    await this.#manual.tick(ms);
    return true;
  }

  #note(what: string): void {
    this.#step++;
    if (this.#steps.length === TOLD) this.#steps.shift();
    this.#steps.push(what);
  }

  #error(what: string): Error {
    const last = this.#steps.length === 0 ? "no step was taken" : this.#steps.join(", ");
    return new Error(`${what}, with seed ${this.seed}, after ${this.#step} steps: … ${last}`);
  }
}
