import { PAGES, PIECES, ROOT } from "../format.ts";
import { MAX_INLINE_BYTES, type PieceList, toPieces } from "../pieces.ts";
import { seal, sealOf, unseal } from "../sealed.ts";
import { Entry } from "./entry.ts";
import type { Row } from "./journal.ts";

/**
 * Estimated bytes that a page is filled to. What is stored has at most twice as many (strings of two bytes
 * a character), and Deno KV takes 65,536.
 */
export const PAGE_BYTES = 32_000;

/** What the columns of a record and the reference to pieces take, estimated. */
const RECORD_HEAD = 32;
const PIECES_HEAD = 64;

/** How the value of a record is stored. */
enum Form {
  Plain = 0,
  Cloned = 1,
  Tombstone = 2,
  PlainPieces = 3,
  ClonedPieces = 4,
}

/** What comes before the records: the space, the sequence of the batch, whether it is the last of it. */
const HEAD = 3;
/** Columns of a record: key, form, expiry, size, value. */
const COLUMNS = 5;

/** A row of the log: records of one space, in the order in which they were written. */
export class Page {
  /** Its number; later pages have higher ones. */
  readonly id: number;
  /** Its records, dead ones too. */
  readonly records: Entry[] = [];
  /** How many bytes its records have, estimated. */
  bytes = 0;
  /** How many bytes of those are of live records. */
  liveBytes = 0;
  /** The checksum of its row; 0 while it has none. */
  sum = 0;

  /** Makes an empty page. */
  constructor(id: number) {
    this.id = id;
  }

  /** Whether another record fits. */
  fits(entry: Entry): boolean {
    return this.records.length === 0 || this.bytes + recordBytes(entry) <= PAGE_BYTES;
  }

  /** Adds a live record. */
  add(entry: Entry): void {
    const bytes = recordBytes(entry);
    this.records.push(entry);
    this.bytes += bytes;
    this.liveBytes += bytes;
    entry.page = this;
  }

  /** Counts one of its records as dead. */
  bury(entry: Entry): void {
    this.liveBytes -= recordBytes(entry);
  }
}

/** Bytes of the record of an entry, estimated. */
function recordBytes(entry: Entry): number {
  return (isLarge(entry) ? PIECES_HEAD : entry.valueSize) + entry.key.length + RECORD_HEAD;
}

/** Whether the value of an entry is stored in pieces. */
export function isLarge(entry: Entry): boolean {
  return entry.valueSize > MAX_INLINE_BYTES;
}

/** Which batch writes a page. */
export interface PageOrigin {
  /** The number of the batch. */
  sequence: number;
  /** Whether it is the last row of the batch, which is written together with the state. */
  ends: boolean;
}

/** The value of a page's row, sealed: the name of the space, its origin, then the columns of each record. */
export function encodePage(
  space: string,
  { id, records }: Page,
  { sequence, ends }: PageOrigin,
): Uint8Array {
  const row: unknown[] = [space, sequence, ends];
  for (const entry of records) {
    row.push(entry.key, formOf(entry), entry.expires, entry.valueSize, entry.pieces ?? entry.value);
  }
  return seal(row, placeOf(id));
}

/** A page as it was read. */
export interface DecodedPage extends PageOrigin {
  /** The space that its records belong to. */
  space: string;
  /** Its records. */
  records: Entry[];
}

/**
 * Reads the row of a page; values in pieces are not loaded yet.
 *
 * @throws {NotAsWrittenError} If it is not as it was written.
 */
export function decodePage(id: number, row: unknown): DecodedPage {
  const columns = unseal(row, placeOf(id)) as unknown[];
  const [space, sequence, ends] = columns as [string, number, boolean];
  const records: Entry[] = [];
  for (let at = HEAD; at < columns.length; at += COLUMNS) {
    const key = columns[at] as string;
    const form = columns[at + 1] as Form;
    const expires = columns[at + 2] as number;
    const size = columns[at + 3] as number;
    records.push(decodeRecord(key, form, expires, size, columns[at + 4]));
  }
  return { space, sequence, ends, records };
}

/** Where a page belongs, in its checksum. */
function placeOf(id: number): string {
  return `${ROOT} page ${id}`;
}

function decodeRecord(
  key: string,
  form: Form,
  expires: number,
  size: number,
  value: unknown,
): Entry {
  if (form === Form.Tombstone) return new Entry(key, undefined);
  const cloned = form === Form.Cloned || form === Form.ClonedPieces;
  const entry = new Entry(key, { value, cloned, expires, size });
  if (form >= Form.PlainPieces) {
    entry.pieces = value as PieceList;
    entry.value = undefined;
  }
  return entry;
}

function formOf(entry: Entry): Form {
  if (entry.tombstone) return Form.Tombstone;
  if (entry.pieces) return entry.cloned ? Form.ClonedPieces : Form.PlainPieces;
  return entry.cloned ? Form.Cloned : Form.Plain;
}

/** Returns the row of a page, after the pieces that it names and that are not on disk yet. */
export function rowsOfPage(space: string, page: Page, origin: PageOrigin): Row[] {
  const rows: Row[] = [];
  for (const entry of page.records) {
    if (entry.pieces !== undefined || !isLarge(entry)) continue;
    const { list, pieces } = toPieces(entry.value);
    entry.pieces = list;
    for (const [n, piece] of pieces.entries()) {
      rows.push({ key: [...PIECES, list[0], n], value: piece });
    }
  }
  const value = encodePage(space, page, origin);
  page.sum = sealOf(value);
  rows.push({ key: [...PAGES, page.id], value });
  return rows;
}
