import type { Entry } from "./entry.ts";
import { Page, PAGE_BYTES } from "./page.ts";

/** A run of pages that became one, or none. */
export interface Compacted {
  /** What takes the place of the first; undefined when nothing of the run was live. */
  page: Page | undefined;
  /** The pages of the run. */
  run: Page[];
  /** The ids of those that are not there any more. */
  removed: number[];
  /** Where to go on. */
  next: number;
}

/** Below this part of live bytes the pages as a whole are worth rewriting: a disk of 1.7 times the content. */
const LIVE_SHARE = 0.6;
/** Below this part of live bytes a page is rewritten. */
const PAGE_LIVE_SHARE = 0.75;
/** Below this size a page is a crumb, to be merged with its neighbours. */
const CRUMB_BYTES = PAGE_BYTES / 2;
/** Fewer pages are left alone. */
const MIN_PAGES = 16;
/** Pages that one run may span: all are deleted in one atomic write. */
const MAX_RUN = 400;

/** Says whether enough is dead, or in crumbs, to be worth merging. */
export function isWorthwhile(pages: readonly Page[]): boolean {
  if (pages.length < MIN_PAGES) return false;
  let bytes = 0;
  let live = 0;
  for (const page of pages) {
    bytes += page.bytes;
    live += page.liveBytes;
  }
  return live < LIVE_SHARE * bytes || pages.length > MIN_PAGES + 2.5 * live / PAGE_BYTES;
}

/**
 * Merges the first run of sparse neighbours at or after page id `from` in place: the result has the id of
 * the first, so the order of writing stays.
 *
 * @param pages The pages, changed in place.
 * @param start The index of the first page that may be touched.
 * @param forget Told of each dead record that the result leaves out.
 */
export function compactFrom(
  pages: Page[],
  start: number,
  from: number,
  forget: (record: Entry) => void,
): Compacted | undefined {
  let at = start;
  while (at < pages.length && (pages[at]!.id < from || !isSparse(pages[at]!))) at++;
  for (; at < pages.length; at++) {
    const length = runLength(pages, at);
    const first = pages[at]!;
    if (length > 1 || (length === 1 && first.liveBytes < PAGE_LIVE_SHARE * first.bytes)) {
      return merge(pages, at, length, forget);
    }
  }
  return undefined;
}

function isSparse(page: Page): boolean {
  return page.liveBytes < PAGE_LIVE_SHARE * page.bytes || page.liveBytes < CRUMB_BYTES;
}

/** How many sparse pages from `at` on fit in one. */
function runLength(pages: readonly Page[], at: number): number {
  let bytes = 0;
  let length = 0;
  while (at + length < pages.length && length < MAX_RUN) {
    const page = pages[at + length]!;
    bytes += page.liveBytes;
    if (!isSparse(page) || bytes > PAGE_BYTES) break;
    length++;
  }
  return length;
}

function merge(
  pages: Page[],
  at: number,
  length: number,
  forget: (record: Entry) => void,
): Compacted {
  const run = pages.slice(at, at + length);
  const merged = new Page(run[0]!.id);
  const dead: Entry[] = [];
  for (const { records } of run) {
    for (const record of records) {
      if (record.live) merged.add(record);
      else dead.push(record);
    }
  }
  const empty = merged.records.length === 0;
  pages.splice(at, length, ...(empty ? [] : [merged]));
  for (const record of dead) forget(record);
  return {
    page: empty ? undefined : merged,
    run,
    removed: run.slice(empty ? 0 : 1).map((page) => page.id),
    next: run.at(-1)!.id + 1,
  };
}
