import { CacheStorageError } from "./errors.ts";
import { NotAsWrittenError, seal, unseal } from "./sealed.ts";

/** The first part of every row of the library. */
export const ROOT = "slipstream";
/** The version of what is on disk; another one is not read. */
const FORMAT = 2;
/** The row that says what the others mean: a {@linkcode StateRow}, in either layout. */
export const STATE_KEY: Deno.KvKey = [ROOT, "state"];
/** Pages of the resident layout, by their ids: see resident/page.ts. */
export const PAGES: Deno.KvKey = [ROOT, "l"];
/** Entries of the layout of rows, by space and key: see rows/rows.ts. */
export const ENTRIES: Deno.KvKey = [ROOT, "e"];
/** Pieces of large values, by id and number, in either layout: see pieces.ts. */
export const PIECES: Deno.KvKey = [ROOT, "p"];
/** Which pieces no entry of the layout of rows refers to, by their id: see rows/row_pieces.ts. */
export const TRASH: Deno.KvKey = [ROOT, "t"];
/** The last write of each process that writes rows, by a random id: see rows/atomic_writer.ts. */
export const WRITERS: Deno.KvKey = [ROOT, "w"];

/** What the rows of a store are. */
export type Layout = "resident" | "rows";

/** The state row: what every version can read of it, and the rest. */
export interface StateRow {
  /** The version of the format. */
  format: number;
  /** Which layout the rows have. */
  layout: Layout;
  /** The state, sealed. */
  body: Uint8Array;
}

/** Makes the state row of a layout. */
export function toStateRow(layout: Layout, state: unknown): StateRow {
  return { format: FORMAT, layout, body: seal(state, placeOf(layout)) };
}

/**
 * Returns the state of a state row.
 *
 * @throws {CacheStorageError} If it is of another version or layout.
 * @throws {NotAsWrittenError} If it is not as it was written.
 */
export function fromStateRow(row: unknown, layout: Layout, path: string): unknown {
  const { format, layout: found, body } = (row ?? {}) as Partial<StateRow>;
  const refuse = (cause: string) => {
    throw new CacheStorageError(`Cannot open cache ${JSON.stringify(path)}`, cause, false);
  };
  if (!Number.isInteger(format)) {
    throw new NotAsWrittenError("it is not as it was written");
  }
  if (format! > FORMAT) refuse(`it has format ${format}, this version reads ${FORMAT}: upgrade`);
  if (format! < FORMAT) {
    refuse(
      `it has format ${format}, this version reads ${FORMAT}: ` +
        "copy what is in it with the version that wrote it",
    );
  }
  if (found !== layout && (found === "resident" || found === "rows")) {
    refuse(
      layout === "rows"
        ? "it was made without { shared: true }: open it without, or use another path"
        : "it was made with { shared: true }: open it with that, or use another path",
    );
  }
  if (found !== layout) throw new NotAsWrittenError("it is not as it was written");
  return unseal(body, placeOf(layout));
}

function placeOf(layout: Layout): string {
  return `${ROOT} state ${FORMAT} ${layout}`;
}
