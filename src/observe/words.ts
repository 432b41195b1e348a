/** Returns a duration in words, with one unit: `300 ms`, `12 s`, `5 min`, `3 h`, `2 d`. */
export function inTime(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}

/** Returns a number with its thousands apart. */
export function inThousands(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

/** Returns `1 error`, `2 errors`. */
export function inNumber(count: number, what: string): string {
  return `${inThousands(count)} ${what}${count === 1 ? "" : "s"}`;
}
