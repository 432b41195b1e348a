import type { Findings } from "./outputs.ts";
import type { Growth } from "./vitals.ts";

/** What a run may do at most. */
export interface Bounds {
  /** Milliseconds between two commits. */
  readonly gapMs: number;
  /** How many bytes the heap of a process may grow. */
  readonly heap: Allowance;
  /** How many handles, and how many descriptors, a process may have more. */
  readonly handles: Allowance;
}

/** The larger of the two: a short run still warms up, a long one shows a leak that is slow. */
export interface Allowance {
  readonly inAll: number;
  readonly perMinute: number;
}

/** What a run did. */
export interface Outcome {
  /** How many messages were sent. */
  readonly sent: number;
  readonly findings: Findings;
  /** What the cache holds at the end. */
  readonly counts: ReadonlyMap<string, number>;
  /** What it should hold. */
  readonly truth: ReadonlyMap<string, number>;
  /** Messages that the group has not committed at the end. */
  readonly uncommitted: number;
  readonly commits: number;
  readonly longestGapMs: number;
  /** How often a member came. */
  readonly came: number;
  /** By process and figure: `heap`, `handles`, `descriptors`. */
  readonly growth: ReadonlyMap<string, ReadonlyMap<string, Growth>>;
}

/** How sure a growth must be: one that is nearer to the bound than this many standard errors counts as noise. */
const SURE = 3;

/** Says in a line each how the counts of a cache differ from what was sent. */
export function wrongCounts(
  counts: ReadonlyMap<string, number>,
  truth: ReadonlyMap<string, number>,
): string[] {
  const wrong = [...truth].filter(([key, count]) => counts.get(key) !== count);
  const faults = wrong.slice(0, 3).map(([key, count]) =>
    `wrong: "${key}" was sent ${count} times, the cache says ${counts.get(key) ?? 0}`
  );
  if (wrong.length > 3) faults.push(`wrong: ${wrong.length} of ${truth.size} counts in the cache`);
  const foreign = [...counts.keys()].filter((key) => !truth.has(key)).length;
  if (foreign > 0) faults.push(`wrong: the cache has ${foreign} keys that were never sent`);
  return faults;
}

/** Says in a line each what is wrong with the outputs of `sent` messages. */
export function wrongOutputs(findings: Findings, sent: number): string[] {
  const faults = findings.faults.map((fault) => `wrong: ${fault}`);
  if (findings.found !== sent) {
    faults.push(`lost: ${sent - findings.found} of ${sent} messages have no output`);
  }
  return faults;
}

/** Says in a line each what is wrong with a run; nothing when nothing is. */
export function verdict(outcome: Outcome, bounds: Bounds): string[] {
  const { sent, findings, counts, truth, uncommitted, commits, longestGapMs, came } = outcome;
  const faults = [...wrongOutputs(findings, sent), ...wrongCounts(counts, truth)];
  if (uncommitted !== 0) faults.push(`${uncommitted} messages are not committed at the end`);
  if (commits === 0) faults.push("nothing was committed");
  if (longestGapMs > bounds.gapMs) {
    faults.push(
      `messages waited ${
        Math.round(longestGapMs)
      } ms for a commit: at most ${bounds.gapMs} are allowed`,
    );
  }
  if (came === 0) faults.push("no member came");
  for (const [process, figures] of outcome.growth) {
    for (const [figure, growth] of figures) {
      const { inAll, perMinute } = figure === "heap" ? bounds.heap : bounds.handles;
      const { minutes } = growth;
      const allowed = Math.max(inAll, perMinute * minutes);
      if (!((growth.perMinute - SURE * growth.error) * minutes > allowed)) continue;
      faults.push(
        `${figure} of ${process} grew by ${Math.round(growth.perMinute * minutes)} ` +
          `in ${minutes.toFixed(1)} minutes: at most ${Math.round(allowed)} are allowed`,
      );
    }
  }
  return faults;
}
