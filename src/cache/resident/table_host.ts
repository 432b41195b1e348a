import type { Writer } from "../../flow/state/state.ts";
import type { Entry } from "./entry.ts";
import type { Table } from "./table.ts";

/** What a table needs of the store that it belongs to. */
export interface TableHost {
  /** The time of day, for expiry. */
  now(): number;
  /** Told after each step that changed the table; the buffer grew by `bytes`. A promise is backpressure. */
  wrote(bytes: number): void | Promise<void>;
  /** Told of the entry that a write is about to replace; returns the step that writes. */
  changing(table: Table, key: string, old: Entry | undefined): Writer | undefined;
  /** Told that something is read which a step wrote or deleted, and may take back. */
  reading(writer: Writer): void;
  /** Told that the keys from `low` (included) to `high` (excluded) are read. */
  scanning(table: Table, low: string, high: string): void;
  /** Whether flows drive the store: then what they changed may be taken back. */
  readonly driven: boolean;
  /** Told of the pieces of a value that is not there any more. */
  discard(entry: Entry): void;
  /** Throws when the store cannot take writes. */
  assertWritable(): void;
}
