/** Checks that durations are numbers of milliseconds, not negative; Infinity is allowed. */
export function checkDurations(owner: string, durations: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(durations)) {
    if (typeof value === "number" && value >= 0) continue;
    throw new RangeError(
      `Cannot make ${owner} as ${name} must be milliseconds >= 0: current value is ${value}`,
    );
  }
}

/** Checks that `functions` are functions, where they are given. */
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
