/**
 * The part of the Standard Schema interface (version 1, standardschema.dev) that a codec needs. Zod, Valibot,
 * ArkType and others implement it; none of them is loaded by this package.
 *
 * @typeParam T What the validator returns.
 */
export interface StandardSchema<T> {
  /** The validator. */
  readonly "~standard": {
    /** The version of the interface. */
    readonly version: 1;
    /** The name of the library that made the validator. */
    readonly vendor: string;
    /** Checks `value`, and returns it, perhaps changed, or what is wrong with it. */
    readonly validate: (
      value: unknown,
    ) => StandardSchemaResult<T> | Promise<StandardSchemaResult<T>>;
  };
}

/** The result of a validator: a value, or issues. */
export type StandardSchemaResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly StandardSchemaIssue[] };

/** One problem with a value. */
export interface StandardSchemaIssue {
  /** The problem, in words. */
  readonly message: string;
  /** Where: the keys from the value's root on. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** How many issues an error message lists. */
const LISTED = 3;

/**
 * Checks `value` with `schema`; returns a promise only where the validator does.
 *
 * @param what The beginning of the error message.
 * @throws {TypeError} When there are issues; they are its `cause`.
 */
export function validate<T>(
  schema: StandardSchema<T>,
  value: unknown,
  what: string,
): T | Promise<T> {
  const { validate, vendor } = schema["~standard"];
  const accept = (result: StandardSchemaResult<T>): T => {
    if (result.issues === undefined) return result.value;
    const listed = result.issues.slice(0, LISTED).map(inWords);
    const more = result.issues.length - listed.length;
    if (more > 0) listed.push(`and ${more} more`);
    throw new TypeError(`${what} as the ${vendor} schema rejects it: ${listed.join("; ")}`, {
      cause: result.issues,
    });
  };
  const result = validate(value);
  return result instanceof Promise ? result.then(accept) : accept(result);
}

function inWords({ path = [], message }: StandardSchemaIssue): string {
  if (path.length === 0) return message;
  const keys = path.map((part) => String(typeof part === "object" ? part.key : part));
  return `${JSON.stringify(keys.join("."))} ${message}`;
}
