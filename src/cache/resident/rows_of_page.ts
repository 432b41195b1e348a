import { ROOT } from "../format.ts";
import { toPieces } from "../pieces.ts";
import { sealOf } from "../sealed.ts";
import type { Row } from "./journal.ts";
import { encodePage, isLarge, type Page, type PageOrigin } from "./page.ts";

/** Returns the row of a page, after the pieces that it names and that are not on disk yet. */
export function rowsOfPage(space: string, page: Page, origin: PageOrigin): Row[] {
  const rows: Row[] = [];
  for (const entry of page.records) {
    if (entry.pieces !== undefined || !isLarge(entry)) continue;
    const { list, pieces } = toPieces(entry.value);
    entry.pieces = list;
    for (const [n, piece] of pieces.entries()) {
      rows.push({ key: [ROOT, "p", list[0], n], value: piece });
    }
  }
  const value = encodePage(space, page, origin);
  page.sum = sealOf(value);
  rows.push({ key: [ROOT, "l", page.id], value });
  return rows;
}
