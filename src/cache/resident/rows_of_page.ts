import { toPieces } from "../pieces.ts";
import { ROOT } from "../format.ts";
import type { Row } from "./journal.ts";
import { encodePage, isLarge, type Page } from "./page.ts";

/** Adds the row of a page, after the pieces that it names. */
export function addRows(rows: Row[], space: string, page: Page): void {
  for (const entry of page.records) {
    if (entry.pieces !== undefined || !isLarge(entry)) continue;
    const { list, pieces } = toPieces(entry.value);
    entry.pieces = list;
    for (const [n, piece] of pieces.entries()) {
      rows.push({ key: [ROOT, "p", list[0], n], value: piece, bytes: piece.length });
    }
  }
  const bytes = page.bytes;
  rows.push({ key: [ROOT, "l", page.id], value: encodePage(space, page), bytes });
}
