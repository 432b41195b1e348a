import { type CacheDamage, CacheDamagedError, CacheStorageError } from "../errors.ts";
import { ENTRIES, fromStateRow, PAGES, PIECES, STATE_KEY } from "../format.ts";
import { decodeKey, inspectKey } from "../keys.ts";
import { fromPieces } from "../pieces.ts";
import { NotAsWrittenError, sealOf } from "../sealed.ts";
import type { Entry } from "./entry.ts";
import type { SpaceState, State } from "./journal.ts";
import { type DecodedPage, decodePage } from "./page.ts";
import type { ResidentStore } from "./store.ts";

const PAGES_PER_READ = 200;
const PIECES_PER_READ = 50;

/** How a store is read. */
export interface LoadOptions {
  /** The file. */
  path: string;
  /** Whether the file has just been made: any other one has a state. */
  fresh: boolean;
  /** Whether damage is left out; else it is an error. */
  salvage: boolean;
}

/** What was found in a file. */
export interface FoundContent {
  /** What the state row says, or what the pages let conclude where it is lost. */
  readonly state: State;
  /** The version of that row. */
  readonly versionstamp: string | null;
  /** The pages of the content, in the order of their ids. */
  readonly pages: readonly FoundPage[];
  /** Rows that the content does not need. */
  readonly left: Deno.KvKey[];
  /** What is not there as it was written. */
  readonly damage: Damage;
}

/** A page that is as it was written. */
interface FoundPage extends DecodedPage {
  readonly id: number;
  readonly sum: number;
}

/** Returns the state of a store in which nothing is. */
export function emptyState(): State {
  return { owner: crypto.randomUUID(), sequence: 0, last: 0, spaces: [] };
}

/**
 * Reads the state and the pages of a file, and proves them complete: each page has a checksum, and the state
 * knows of each space how many pages there are, and the sum of their checksums.
 *
 * @throws {CacheStorageError} If the file has another format or layout, or Deno KV cannot read it.
 */
export async function find(kv: Deno.Kv, options: LoadOptions): Promise<FoundContent> {
  const damage = new Damage();
  const left: Deno.KvKey[] = [];
  const row = await readState(kv, options, damage);
  const read = await readPages(kv, options.path, damage, left);
  const { versionstamp } = row;
  if (row.state !== undefined && !isStale(row.state, read, damage)) {
    const pages = pagesOf(row.state, read, damage, left);
    return { state: row.state, versionstamp, pages, left, damage };
  }
  await assertResident(kv, options.path);
  damage.pages += left.length; // no state counts them
  const pages = completeGroups(read, left);
  return { state: stateOf(pages), versionstamp, pages, left, damage };
}

/**
 * Fills a store with what was found.
 *
 * @throws {CacheDamagedError} If something is damaged; with `salvage` that is left out.
 */
export async function load(
  kv: Deno.Kv,
  store: ResidentStore,
  { state, pages, left, damage }: FoundContent,
  { path, salvage }: LoadOptions,
): Promise<void> {
  for (const space of state.spaces) store.table(space[0]).eviction.restoreHead(space);
  for (const { space, id, records, sum } of pages) store.table(space).restore(id, records, sum);
  const lost = await readPieces(kv, pages, damage, left);
  if (damage.found && !salvage) {
    const advice = "put a backup of the file there; or copy it, and open it with " +
      '{ damaged: "salvage" }, which keeps the rest';
    throw new CacheDamagedError(`Cannot open cache ${JSON.stringify(path)}`, damage, advice);
  }
  for (const { space, entry } of lost) store.table(space).put({ key: entry.key, put: undefined });
  for (const [space] of state.spaces) store.table(space).restored();
  if (damage.found) store.exactState.forbid();
}

/** Throws if a file whose state is lost has the rows of the other layout. */
async function assertResident(kv: Deno.Kv, path: string): Promise<void> {
  const rows = kv.list({ prefix: ENTRIES }, { limit: 1 });
  if ((await Array.fromAsync(rows)).length === 0) return;
  const cause = "it was made with { shared: true }: open it with that, or use another path";
  throw new CacheStorageError(`Cannot open cache ${JSON.stringify(path)}`, cause, false);
}

/** Reads the state row; one that is not as it was written is none. */
async function readState(
  kv: Deno.Kv,
  { path, fresh, salvage }: LoadOptions,
  damage: Damage,
): Promise<{ state: State | undefined; versionstamp: string | null }> {
  let versionstamp: string | null | undefined;
  let what = "is missing, or another program made the file";
  try {
    const row = await kv.get(STATE_KEY);
    versionstamp = row.versionstamp;
    if (versionstamp === null && fresh) return { state: emptyState(), versionstamp };
    if (versionstamp !== null) {
      return { state: fromStateRow(row.value, "resident", path) as State, versionstamp };
    }
  } catch (error) {
    what = notAsWritten(error);
  }
  damage.add(`the row that describes the file: ${what}`, { entries: Infinity });
  // What cannot be read has no version to begin from.
  if (salvage) versionstamp ??= (await kv.set(STATE_KEY, null)).versionstamp;
  return { state: undefined, versionstamp: versionstamp ?? null };
}

/** Reads all pages that are as they were written. */
async function readPages(
  kv: Deno.Kv,
  path: string,
  damage: Damage,
  left: Deno.KvKey[],
): Promise<FoundPage[]> {
  const read: FoundPage[] = [];
  let highest = 0;
  const rows = kv.list<Uint8Array>({ prefix: PAGES }, { batchSize: PAGES_PER_READ });
  for await (const { key, value } of rows) {
    const id = key[2] as number;
    // The order of the rows is the order in which entries were written.
    if (typeof id === "number" && id <= highest) {
      const cause = `the file is malformed: page ${id} comes after page ${highest}`;
      throw new CacheStorageError(`Cannot open cache ${JSON.stringify(path)}`, cause, false);
    }
    if (Number.isSafeInteger(id)) highest = id;
    try {
      read.push({ ...decodePage(id, value), id, sum: sealOf(value) });
    } catch (error) {
      damage.add(`page ${id}: ${notAsWritten(error)}`);
      left.push(key);
    }
  }
  return read;
}

/** Finds out whether a state is older than the pages. */
function isStale(state: State, read: readonly FoundPage[], damage: Damage): boolean {
  // A batch that was not completed may be there, and never its end, which comes together with its state.
  const newer = read.find(({ id, sequence, ends }) =>
    id > state.last && (ends || sequence !== state.sequence + 1)
  );
  if (newer === undefined) return false;
  const detail = `the row that describes the file: it is older than page ${newer.id}`;
  damage.add(detail, { entries: Infinity });
  return true;
}

/** Picks the pages that a state has, and finds out whether they are all there. */
function pagesOf(
  state: State,
  read: readonly FoundPage[],
  damage: Damage,
  left: Deno.KvKey[],
): FoundPage[] {
  const tallies = new Map(
    state.spaces.map(([name, head]) => [name, { head, pages: 0, records: 0, sum: 0 }]),
  );
  const pages: FoundPage[] = [];
  for (const page of read) {
    const tally = tallies.get(page.space);
    if (page.id > state.last || (tally && page.id < tally.head)) {
      left.push([...PAGES, page.id]);
      continue;
    }
    if (tally === undefined) {
      const detail = `page ${page.id}: it is of space ${JSON.stringify(page.space)}, which is gone`;
      damage.add(detail, { pages: 1, entries: page.records.length });
      left.push([...PAGES, page.id]);
      continue;
    }
    pages.push(page);
    tally.pages++;
    tally.records += page.records.length;
    tally.sum = (tally.sum + page.sum) >>> 0;
  }
  for (const space of state.spaces) compare(space, tallies.get(space[0])!, damage);
  return pages;
}

/** Compares what there is of a space with what its state says. */
function compare(
  [name, , , pages, records, sum]: SpaceState,
  found: { pages: number; records: number; sum: number },
  damage: Damage,
): void {
  if (found.pages === pages && found.records === records && found.sum === sum) return;
  const space = name === "" ? "" : ` of space ${JSON.stringify(name)}`;
  const lost = { pages: pages - found.pages, entries: records - found.records };
  if (lost.pages > 0 && lost.entries >= 0) {
    damage.add(`${lost.pages} of ${pages} pages${space} are missing or damaged`, lost);
  } else damage.add(`the pages${space} are not the newest ones`, { entries: Infinity });
}

/** Drops the last batch where it was not completed. */
function completeGroups(read: readonly FoundPage[], left: Deno.KvKey[]): FoundPage[] {
  const newest = read.reduce((newest, { sequence }) => Math.max(newest, sequence), 0);
  if (read.some(({ sequence, ends }) => sequence === newest && ends)) return [...read];
  for (const { id, sequence } of read) if (sequence === newest) left.push([...PAGES, id]);
  return read.filter(({ sequence }) => sequence !== newest);
}

/** What the state may have been whose pages these are. */
function stateOf(pages: readonly FoundPage[]): State {
  const spaces = new Map<string, SpaceState>();
  const state = { ...emptyState(), last: pages.at(-1)?.id ?? 0 };
  for (const { id, space, sequence } of pages) {
    state.sequence = Math.max(state.sequence, sequence);
    if (!spaces.has(space)) spaces.set(space, [space, id, 0, 0, 0, 0]);
  }
  return { ...state, spaces: [...spaces.values()] };
}

/** An entry whose value is in pieces. */
interface Large {
  readonly space: string;
  readonly entry: Entry;
  readonly pieces: unknown[];
}

/** Puts the large values together; returns those whose pieces are not as they were written. */
async function readPieces(
  kv: Deno.Kv,
  pages: readonly FoundPage[],
  damage: Damage,
  left: Deno.KvKey[],
): Promise<Large[]> {
  const wanted = new Map<unknown, Large>();
  for (const { space, records } of pages) {
    for (const entry of records) {
      if (entry.pieces && entry.live) wanted.set(entry.pieces[0], { space, entry, pieces: [] });
    }
  }
  for await (const row of kv.list({ prefix: PIECES }, { batchSize: PIECES_PER_READ })) {
    const found = wanted.get(row.key[2]);
    if (found) found.pieces[row.key[3] as number] = row.value;
    else left.push(row.key);
  }
  const lost: Large[] = [];
  for (const large of wanted.values()) {
    const { entry, pieces } = large;
    try {
      entry.value = fromPieces(entry.pieces!, pieces);
    } catch (error) {
      const what = `the value of key ${inspectKey(decodeKey(entry.key))}: ${notAsWritten(error)}`;
      damage.add(what, { entries: 1 });
      lost.push(large);
    }
  }
  return lost;
}

/** Says in which way a row is not as it was written; throws what is not an answer to that. */
function notAsWritten(error: unknown): string {
  if (error instanceof NotAsWrittenError) return error.message;
  if (error instanceof Error && /could not deserialize|column type/.test(error.message)) {
    return "it is not as it was written";
  }
  throw error;
}

/** Findings that are told. */
const MAX_DETAILS = 20;

/** What is found to be damaged while a store is read. */
class Damage implements CacheDamage {
  pages = 0;
  entries = 0;
  readonly details: string[] = [];

  /** Whether anything was found. */
  get found(): boolean {
    return this.details.length > 0;
  }

  /** Adds a finding. */
  add(detail: string, { pages = 0, entries = 0 }: { pages?: number; entries?: number } = {}): void {
    this.pages += pages;
    this.entries += entries;
    if (this.details.length < MAX_DETAILS) this.details.push(detail);
  }
}
