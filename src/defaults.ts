/** Options by name. */
export type Values = Readonly<Record<string, unknown>>;

/** The options that objects have where nothing else is said: those of an app, over those of the process. */
export class Defaults {
  readonly #beneath: Defaults | undefined;
  #own: Values = {};

  /** Begins with what `beneath` has. */
  constructor(beneath?: Defaults) {
    this.#beneath = beneath;
  }

  /** All of them. */
  get values(): Values {
    return { ...this.#beneath?.values, ...this.#own };
  }

  /**
   * Adds options, and removes those that are undefined; objects that exist already keep what they have.
   *
   * @throws {TypeError} If who uses them refuses them.
   */
  add(values: Values): void {
    for (const check of checks) check(values);
    const all = Object.entries({ ...this.#own, ...values });
    this.#own = Object.fromEntries(all.filter(([, value]) => value !== undefined));
  }
}

const checks: ((values: Values) => void)[] = [];

/** Calls `check`, which throws, with all options that are added from now on. */
export function checkDefaults(check: (values: Values) => void): void {
  checks.push(check);
}

const ofProcess = new Defaults();
const ofApps = new WeakMap<object, Defaults>();

/** Returns the defaults of an app; without one, those of the process. */
export function defaultsOf(app?: object): Defaults {
  return app ? ofApps.getOrInsertComputed(app, () => new Defaults(ofProcess)) : ofProcess;
}

/** Makes the defaults of `app` those of the process. */
export function shareDefaults(app: object): void {
  ofApps.set(app, ofProcess);
}
