import type { Observation, Result } from "./benchmark.ts";

/** Writes one result as a line of JSON. */
export function jsonLine(
  { name, perSecond, floorRatio, peerRatio, bytesPerMessage }: Result,
): string {
  return JSON.stringify({
    name,
    perSecond: Math.round(perSecond),
    floorRatio: rounded(floorRatio),
    peerRatio: rounded(peerRatio),
    ...(bytesPerMessage !== undefined && { bytesPerMessage: rounded(bytesPerMessage) }),
  });
}

const WIDTHS = [20, 14, 20, 20] as const;

/** The first line of the table. */
export const header: string = row(["", "messages/s", "of the floor", "of the peer"]);

/** Writes one result as a line of the table; a ratio below its goal is marked. */
export function tableLine(
  { name, perSecond, floorRatio, peerRatio, bytesPerMessage, goals }: Result,
): string {
  const speed = Math.round(perSecond).toLocaleString("en-US");
  if (bytesPerMessage !== undefined) {
    return `${row([name, speed])}  the heap grows by ${bytesPerMessage.toFixed(3)} bytes a message`;
  }
  return row([name, speed, inWords(floorRatio, goals?.floor), inWords(peerRatio, goals?.peer)]);
}

/** Writes figures that are no speed as a line of the table. */
export function figuresLine(
  { name, unit }: Pick<Observation, "name" | "unit">,
  figures: Record<string, number>,
): string {
  const texts = Object.entries(figures).map(([figure, value]) => `${figure} ${value.toFixed(2)}`);
  return `${row([name])}  ${texts.join(", ")} ${unit}`;
}

function row(cells: readonly string[]): string {
  const padded = cells.map((cell, column) =>
    column === 0 ? cell.padEnd(WIDTHS[0]) : cell.padStart(WIDTHS[column]!)
  );
  return padded.join("");
}

function inWords(ratio: number | null, goal: number | undefined): string {
  if (ratio === null) return "";
  const text = ratio < 10 ? ratio.toFixed(2) : ratio.toFixed(1);
  if (goal === undefined) return text;
  return ratio >= goal ? `${text} (≥ ${goal})` : `${text} BELOW ${goal}`;
}

function rounded(number: number | null): number | null {
  return number === null ? null : Number(number.toPrecision(4));
}
