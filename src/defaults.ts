let current: Readonly<Record<string, unknown>> = {};

/** The options that the objects of this process have where nothing else is said. */
export function defaults(): Readonly<Record<string, unknown>> {
  return current;
}

/** Replaces the defaults; objects that exist already keep what they have. */
export function setDefaults(values: Readonly<Record<string, unknown>>): void {
  current = { ...values };
}
