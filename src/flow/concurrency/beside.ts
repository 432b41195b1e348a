import type { Binding } from "../run/binding.ts";
import { hasWindow } from "../state/tick_checks.ts";
import type { Concurrency } from "./options.ts";

/** One message after the other, in the order of the source. */
const ALONE: Concurrency = { max: 1, by: () => 0, ahead: Infinity, span: Infinity };

/** The sources that some flow reads concurrently. */
export function concurrentSources(bindings: readonly Binding[]): ReadonlySet<unknown> {
  const concurrent = bindings.filter(({ concurrency }) => concurrency !== undefined);
  return new Set(concurrent.flatMap(({ sources }) => sources));
}

/**
 * How a flow handles its messages; undefined where it does so in lock-step with others. One with a window beside a
 * concurrent flow is a consumer of its own with one slot, since results come between its messages.
 */
export function concurrencyOf(
  binding: Binding,
  concurrent: ReadonlySet<unknown>,
): Concurrency | undefined {
  if (binding.concurrency !== undefined || !hasWindow(binding)) return binding.concurrency;
  return binding.sources.some((source) => concurrent.has(source)) ? ALONE : undefined;
}
