import type { Random } from "../../src/testing/mod.ts";

const POLICIES = ["stop", "skip", "retry", "deadLetter"] as const;
const SHAPES = ["one", "fan-out", "two stores", "proxy", "two sources", "aggregate"] as const;
/** How many keys an aggregation has. */
export const AGGREGATES = 3;
/** Messages in each topic. */
export const MESSAGES = 13;

/** A program, as its seed has made it. */
export interface Plan {
  readonly random: Random;
  readonly policy: typeof POLICIES[number];
  readonly shape: typeof SHAPES[number];
  readonly partitions: number;
  /** The probability of a crash at a step. */
  readonly crashes: number;
  /** The probability of a failure at a call of handler or sink. */
  readonly failures: number;
  /** The probability that a step takes its time, on the clock. */
  readonly delays: number;
  /** The probability at a step that code outside of the flows flushes a store. */
  readonly flushes: number;
  /** Which flows handle messages concurrently, how many of them, and how many keys these have; 0 for no order. */
  readonly concurrent: readonly string[];
  readonly max: number;
  readonly keys: number;
}

/** Makes a program of chance. */
export function planOf(random: Random): Plan {
  const policy = random.pick(POLICIES);
  const shape = random.pick(SHAPES);
  return {
    random,
    policy,
    shape,
    partitions: 1 + random.integer(3),
    crashes: random.pick([0.005, 0.02, 0.05]),
    failures: random.pick([0, 0.02, 0.1]),
    delays: random.pick([0, 0.1, 0.5]),
    flushes: random.pick([0, 0.02, 0.2]),
    concurrent: shape === "two stores" // which is refused
      ? []
      : random.pick([
        [],
        ["first"],
        ["first", "second", "behind", "total"],
        ["second", "behind", "total"],
      ]),
    max: 1 + random.integer(5),
    keys: random.integer(6),
  };
}

/** The topics that the program reads. */
export function topicsOf({ shape }: Plan): string[] {
  return shape === "two sources" ? ["a", "b"] : ["a"];
}

/** The key that a message has in an aggregation. */
export function aggregateOf(value: string): number {
  return Number(value.slice(1)) % AGGREGATES;
}

/** Messages that always fail, where the policy goes on without them. */
export function isPoison({ policy, shape }: Plan, value: string): boolean {
  if (shape === "proxy") return false; // only "stop" is exact there
  return (policy === "skip" || policy === "deadLetter") && /^[ab][15]$/.test(value);
}

/** The values of all messages. */
export function valuesOf(plan: Plan): string[] {
  return topicsOf(plan).flatMap((topic) =>
    Array.from({ length: MESSAGES }, (_, n) => `${topic}${n}`)
  );
}

/** The messages that a dead letter is written for. */
export function buriedBy(plan: Plan): string[] {
  if (plan.policy !== "deadLetter" || plan.shape === "proxy") return [];
  return valuesOf(plan).filter((value) => isPoison(plan, value));
}

/** The flows that count the messages of the topics. */
function countersOf({ shape }: Plan): string[] {
  return shape === "fan-out" || shape === "two stores" ? ["first", "second"] : ["first"];
}

/** The counts at the end: every message counted once by every flow. */
export function expectedCounts(plan: Plan): Record<string, number> {
  const good = valuesOf(plan).filter((value) => !isPoison(plan, value));
  const expected: Record<string, number> = {};
  for (const flow of countersOf(plan)) {
    for (const value of good) expected[`${flow},${value}`] = 1;
    expected[`sum,${flow}`] = good.length;
  }
  if (plan.shape === "aggregate") {
    const counts = Object.groupBy(good, (value) => `total,${aggregateOf(value)}`);
    for (const [key, values] of Object.entries(counts)) expected[key] = values!.length;
  }
  if (plan.shape === "proxy") { for (const value of good) expected[`behind,${value}`] = 1; }
  return expected;
}

/** The state at the end: the counts, who has counted an odd number, and the last results of the aggregation. */
export function expectedState(plan: Plan): Record<string, number> {
  const expected = expectedCounts(plan);
  const odd = countersOf(plan).filter((flow) => expected[`sum,${flow}`]! % 2 === 1);
  const last = Object.entries(expected).filter(([key]) => key.startsWith("total,"));
  return {
    ...expected,
    ...Object.fromEntries(odd.map((flow) => [`odd,${flow}`, 1])),
    ...Object.fromEntries(last.map(([key, count]) => [`last,${key}`, count])),
  };
}
