import { CacheStorageError } from "../errors.ts";
import { assertReadable, FORMAT, ROOT, STATE_KEY } from "../format.ts";
import { fromPieces } from "../pieces.ts";
import type { Entry } from "./entry.ts";
import type { State } from "./journal.ts";
import { decodePage } from "./page.ts";
import type { ResidentStore } from "./store.ts";

const PAGES_PER_READ = 200;
const PIECES_PER_READ = 50;
const DELETES_PER_WRITE = 500;

/** A state row, and the version of the row that a fence needs. */
export interface Claimed {
  /** What the row says. */
  state: State;
  /** The version of the row. */
  versionstamp: string;
}

/** Returns the state of a store in which nothing is. */
export function emptyState(): State {
  const owner = crypto.randomUUID();
  return { format: FORMAT, layout: "resident", owner, sequence: 0, last: 0, heads: [] };
}

/**
 * Makes the caller the owner of the store: from now on no other process can write to it.
 *
 * @throws {CacheStorageError} If the rows are of a newer version or of another layout.
 */
export async function claim(kv: Deno.Kv, path: string): Promise<Claimed> {
  for (;;) {
    const row = await kv.get<State>(STATE_KEY);
    assertReadable(row.value, "resident", path);
    const state = { ...(row.value ?? emptyState()), owner: crypto.randomUUID() };
    const result = await kv.atomic().check(row).set(STATE_KEY, state).commit();
    if (result.ok) return { state, versionstamp: result.versionstamp };
  }
}

/**
 * Fills a store from its pages, and deletes what a crash left behind: pages of a batch that was not
 * completed, pages that the window has passed, pieces that nothing refers to.
 *
 * @throws {CacheStorageError} If a page or a piece is not what was written.
 */
export async function load(
  kv: Deno.Kv,
  store: ResidentStore,
  { state, versionstamp }: Claimed,
  path: string,
): Promise<void> {
  const left: Deno.KvKey[] = [];
  for (const [space, ...head] of state.heads) store.table(space).window.restoreHead(head);
  const heads = new Map(state.heads.map(([space, page]) => [space, page]));
  const spaces = new Set(heads.keys());
  let reading = "its pages";
  try {
    for await (const row of kv.list({ prefix: [ROOT, "l"] }, { batchSize: PAGES_PER_READ })) {
      const id = row.key[2] as number;
      reading = `page ${id}`;
      const { space, records } = id > state.last
        ? { space: "", records: undefined }
        : decodePage(row.value);
      if (records === undefined || id < (heads.get(space) ?? 0)) left.push(row.key);
      else {
        spaces.add(space);
        store.table(space).restore(id, records);
      }
    }
    reading = "its values";
    await loadPieces(kv, [...spaces].flatMap((space) => [...store.table(space).entries()]), left);
  } catch (error) {
    const what = `Cannot open cache ${JSON.stringify(path)}: corrupt in ${reading}`;
    throw new CacheStorageError(what, error, false);
  }
  for (const space of spaces) store.table(space).restored();
  for (let at = 0; at < left.length; at += DELETES_PER_WRITE) {
    const atomic = kv.atomic().check({ key: STATE_KEY, versionstamp });
    for (const key of left.slice(at, at + DELETES_PER_WRITE)) atomic.delete(key);
    await atomic.commit();
  }
}

/** Puts the large values together; adds to `left` the pieces that are of none of them. */
async function loadPieces(kv: Deno.Kv, entries: Entry[], left: Deno.KvKey[]): Promise<void> {
  const wanted = new Map<string, { entry: Entry; pieces: Uint8Array[] }>();
  for (const entry of entries) {
    if (entry.pieces) wanted.set(entry.pieces[0], { entry, pieces: [] });
  }
  const options = { batchSize: PIECES_PER_READ };
  for await (const row of kv.list<Uint8Array>({ prefix: [ROOT, "p"] }, options)) {
    const found = wanted.get(row.key[2] as string);
    if (found) found.pieces[row.key[3] as number] = row.value;
    else left.push(row.key);
  }
  for (const { entry, pieces } of wanted.values()) entry.value = fromPieces(entry.pieces!, pieces);
}
