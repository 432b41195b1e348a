import { checkOptions } from "../options.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Dependency } from "./dependency.ts";
import type { IdleParts, PartName } from "./parts.ts";

/** Options of a {@linkcode Dependency}. Durations are milliseconds. */
export interface DependencyOptions {
  /**
   * How far a pulse may be ahead of the last heartbeat, in event time, before the dependency is down.
   *
   * @default {600000}
   */
  downtimeThreshold?: number | undefined;
  /**
   * Says, at every pulse, for how long the dependency has been down; undefined when it is not.
   *
   * @default {"compares the last marker with the pulse's, see downtimeThreshold"}
   */
  downtimeCheck?:
    | ((checkpoint: Checkpoint, dependency: Dependency) => number | undefined)
    | undefined;
  /**
   * Says whether a dependency that was down has caught up. With `correct` it is asked once the frontier has
   * passed every pulse, without it is asked alone. It is asked for each heartbeat twice: for the answer to
   * that, and once its message is stored; so it must only look.
   *
   * @default {"the frontier has passed every pulse"}
   */
  recoveryCheck?: ((checkpoint: Checkpoint, dependency: Dependency) => boolean) | undefined;
  /**
   * How much a message may be behind the latest one of its part, in event time. It holds the frontier back.
   *
   * @default {0}
   */
  latenessMs?: number | undefined;
  /**
   * After how long without a heartbeat, by the clock, the dependency is down, even when no pulse says so.
   * Time in which its source is paused does not count.
   *
   * @default {Infinity}
   */
  downtimeAfterMs?: number | undefined;
  /**
   * What the end of the source means: nothing is missing any more, or the dependency is down.
   *
   * @default {"final"}
   */
  onEnd?: "final" | "down" | undefined;
  /**
   * The parts whose heartbeats are told apart: each holds the frontier until it was heard of. A Topic
   * supplies its partitions; a part that is not named here counts from its first heartbeat on.
   */
  parts?: Iterable<PartName> | undefined;
  /**
   * Whether a partition that has been read to its end holds the frontier (`"hold"`: a message for an early
   * time may still come), or is passed over until there is something in it.
   *
   * @default {"hold"}
   */
  idleParts?: IdleParts | undefined;
}

const NAMES = [
  "downtimeThreshold",
  "downtimeCheck",
  "recoveryCheck",
  "latenessMs",
  "downtimeAfterMs",
  "onEnd",
  "parts",
  "idleParts",
] as const;

/** The options with their defaults. */
export type DependencySettings =
  & { readonly onEnd: "final" | "down"; readonly idleParts: IdleParts }
  & { readonly [K in "downtimeThreshold" | "latenessMs" | "downtimeAfterMs"]: number }
  & Pick<DependencyOptions, "downtimeCheck" | "recoveryCheck">
  & { readonly parts: readonly PartName[] };

/**
 * Checks the options of a dependency.
 *
 * @throws {TypeError} If one is unknown or has the wrong shape.
 * @throws {RangeError} If a duration is out of bounds.
 */
export function toDependencySettings(
  name: string,
  options: DependencyOptions,
): DependencySettings {
  checkOptions("Dependency", options, NAMES);
  const {
    downtimeThreshold = 600_000,
    downtimeCheck,
    recoveryCheck,
    latenessMs = 0,
    downtimeAfterMs = Infinity,
    onEnd = "final",
    parts = [],
    idleParts = "hold",
  } = options;
  const owner = `dependency ${JSON.stringify(name)}`;
  checkDurations(owner, { downtimeThreshold, latenessMs, downtimeAfterMs });
  if (latenessMs === Infinity) {
    throw new RangeError(`Cannot make ${owner} as latenessMs must be finite`);
  }
  checkFunctions(owner, { downtimeCheck, recoveryCheck });
  checkChoice(owner, "onEnd", onEnd, ["final", "down"]);
  checkChoice(owner, "idleParts", idleParts, ["hold", "pass"]);
  if (typeof parts === "string" || typeof parts?.[Symbol.iterator] !== "function") {
    throw new TypeError(`Cannot make ${owner} as parts must be a list: got ${typeof parts}`);
  }
  return {
    downtimeThreshold,
    downtimeCheck,
    recoveryCheck,
    latenessMs,
    downtimeAfterMs,
    onEnd: onEnd as "final" | "down",
    parts: [...parts],
    idleParts: idleParts as IdleParts,
  };
}

/** Checks that durations are numbers of milliseconds, not negative; Infinity is allowed. */
export function checkDurations(owner: string, durations: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(durations)) {
    if (typeof value === "number" && value >= 0) continue;
    throw new RangeError(
      `Cannot make ${owner} as ${name} must be milliseconds >= 0: current value is ${value}`,
    );
  }
}

/** Checks that what is given is a function. */
export function checkFunctions(owner: string, functions: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(functions)) {
    if (value === undefined || typeof value === "function") continue;
    throw new TypeError(`Cannot make ${owner} as ${name} must be a function: got ${typeof value}`);
  }
}

/** Checks that `value` is one of `choices`. */
export function checkChoice(
  owner: string,
  name: string,
  value: unknown,
  choices: readonly string[],
): void {
  if (choices.includes(value as string)) return;
  const allowed = choices.map((choice) => JSON.stringify(choice)).join(" or ");
  throw new TypeError(`Cannot make ${owner} as ${name} must be ${allowed}: got ${value}`);
}
