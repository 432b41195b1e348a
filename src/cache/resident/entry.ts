import type { Writer } from "../../flow/state/state.ts";
import type { Found, Put } from "../space.ts";
import type { PieceList } from "../pieces.ts";

/** What an entry takes beside its key and its value, estimated. */
const OVERHEAD = 16;

/**
 * One write of one key: in the buffer first, then a record of a page. A later write of the key makes a new
 * entry, so that the same entry means the same version.
 */
export class Entry implements Found {
  readonly key: string;
  readonly cloned: boolean;
  /** When it expires; 0 for never. */
  readonly expires: number;
  /** True for the deletion of a key, kept while older records of the key are on disk. */
  readonly tombstone: boolean;
  /** Bytes of the value, estimated. */
  readonly valueSize: number;
  /** The value; let go of when it is superseded. */
  value: unknown;
  /** False once it is superseded, deleted or evicted. */
  live = true;
  /** How many records of the same key that this one hides are still on disk. */
  older = 0;
  /** Whether a later entry of the key counts this one among those that it hides. */
  hidden = false;
  /** Where its record is; undefined while it is buffered. */
  page: { bury(record: Entry): void } | undefined = undefined;
  /** The step of a flow that wrote it, until the next cut, while flows drive the store. */
  by: Writer | undefined = undefined;
  /** Where its value is on disk, when it is too large for a page. */
  pieces: PieceList | undefined = undefined;

  /** Makes the entry of a write; without `put` it is a tombstone. */
  constructor(key: string, put: Put | undefined) {
    this.key = key;
    this.tombstone = put === undefined;
    this.value = put?.value;
    this.cloned = put?.cloned ?? false;
    this.expires = put?.expires ?? 0;
    this.valueSize = put?.size ?? 0;
  }

  /** Bytes that it counts towards `maxBytes`, estimated. */
  get size(): number {
    return entrySize(this.key, this.valueSize);
  }

  /** Whether it has expired at `now`. */
  expired(now: number): boolean {
    return this.expires !== 0 && this.expires <= now;
  }
}

/** Bytes that an entry counts towards `maxBytes`, estimated. */
export function entrySize(key: string, valueSize: number): number {
  return valueSize + key.length + OVERHEAD;
}
