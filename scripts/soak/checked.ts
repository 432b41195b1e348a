import { Workplace } from "./workplace.ts";

/**
 * Runs `body` with a broker and a folder, which are gone afterwards, and says what it found to be wrong;
 * SIGINT and SIGTERM abort its signal.
 *
 * @returns The code of the process: 0 when nothing is wrong.
 */
export async function runChecked(
  body: (place: Workplace, signal: AbortSignal) => Promise<string[]>,
  nothingWrong: string,
): Promise<number> {
  const interrupted = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(name, () => interrupted.abort(new Error(`stopped by ${name}`)));
  }
  let faults: string[];
  try {
    await using place = await Workplace.open();
    faults = await body(place, interrupted.signal);
  } catch (error) {
    faults = [error instanceof Error ? error.message : String(error)];
  }
  for (const fault of faults) console.error(`FAILED: ${fault}`);
  if (faults.length > 0) return 1;
  console.log(`ok: ${nothingWrong}`);
  return 0;
}
