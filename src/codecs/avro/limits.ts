/** The bounds of one Avro message, in both directions: a value beyond them is neither encoded nor decoded. */
export interface AvroLimits {
  /** The size of the encoded message. @default {16_777_216} */
  maxBytes?: number | undefined;
  /**
   * The number of array items, map entries and record fields together. A few bytes can announce any number of
   * items that take no bytes themselves; this is what bounds them. @default {1_000_000}
   */
  maxItems?: number | undefined;
  /** How deep records, arrays and maps may be nested. @default {64} */
  maxDepth?: number | undefined;
}

/** The limits with their defaults. */
export interface AvroBounds {
  /** The size of the encoded message. */
  readonly maxBytes: number;
  /** The number of items, entries and fields. */
  readonly maxItems: number;
  /** The depth of nesting. */
  readonly maxDepth: number;
}

/** The deepest nesting that may be asked for: far from the end of the stack. */
export const DEEPEST = 1_000;
