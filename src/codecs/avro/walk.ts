import type { AvroBounds } from "./limits.ts";

/** How much of a value or a key an error message shows. */
const SHOWN = 40;

/** One way through a value: knows where it is, and counts what it meets against the bounds. */
export class Walk {
  readonly #doing: "encode" | "decode";
  readonly #bounds: AvroBounds;
  readonly #path: (string | number)[] = [];
  #items = 0;

  /** Starts at the root. */
  constructor(doing: "encode" | "decode", bounds: AvroBounds) {
    this.#doing = doing;
    this.#bounds = bounds;
  }

  /** Goes down to a field, an item or an entry. */
  enter(key: string | number): void {
    if (this.#path.length === this.#bounds.maxDepth) {
      this.fail(`it is nested deeper than maxDepth ${this.#bounds.maxDepth}`, RangeError);
    }
    this.#path.push(key);
  }

  /** Goes up again. Not called after an error, so that the path still says where it happened. */
  leave(): void {
    this.#path.pop();
  }

  /** Counts `items` more. */
  count(items: number): void {
    this.#items += items;
    if (this.#items > this.#bounds.maxItems) {
      this.fail(`there are more than maxItems ${this.#bounds.maxItems} in the message`, RangeError);
    }
  }

  /** Throws for a value that is not what the schema asks for. */
  refuse(wanted: string, value: unknown, ErrorClass: ErrorConstructor = TypeError): never {
    throw new ErrorClass(`${this.#place()} as ${wanted}: current value is ${shown(value)}`);
  }

  /** Throws; `state` says what is wrong here. */
  fail(state: string, ErrorClass: ErrorConstructor = TypeError): never {
    throw new ErrorClass(`${this.#place()}: ${state}`);
  }

  #place(): string {
    const what = this.#path.length === 0 ? "value" : `field "${inWords(this.#path)}"`;
    return `Cannot ${this.#doing} Avro ${what}`;
  }
}

function inWords(path: readonly (string | number)[]): string {
  let words = "";
  for (const key of path) {
    if (typeof key === "number") words += `[${key}]`;
    else if (!/^[A-Za-z_]\w{0,39}$/.test(key)) words += `[${shown(key)}]`;
    else words += words === "" ? key : `.${key}`;
  }
  return words;
}

function shown(value: unknown): string {
  if (typeof value === "string") {
    return value.length > SHOWN
      ? `${JSON.stringify(value.slice(0, SHOWN))}…`
      : JSON.stringify(value);
  }
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (value instanceof Date) {
    return Number.isNaN(value.getTime()) ? "an invalid Date" : value.toJSON();
  }
  if (value instanceof Temporal.Instant) return value.toString();
  return "an object";
}
