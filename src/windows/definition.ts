import type { StateRows } from "../flow/state/state.ts";

/**
 * Compares the definition of a window with the one that its state was made with.
 *
 * @returns Whether there is one.
 * @throws {TypeError} If they differ; the error says in what.
 */
export function assertSameDefinition(
  flow: string,
  rows: StateRows,
  key: string,
  definition: Readonly<Record<string, unknown>>,
): boolean {
  const [stored] = [...rows.scan(key)].map(([, value]) => value as Record<string, unknown>);
  if (stored === undefined) return false;
  const names = new Set([...Object.keys(stored), ...Object.keys(definition)]);
  const differences = [...names].filter((name) => shown(stored[name]) !== shown(definition[name]));
  if (differences.length === 0) return true;
  const each = differences.map((name) =>
    `${name} was ${shown(stored[name])} and is ${shown(definition[name])}`
  );
  throw new TypeError(
    `Cannot go on with the windows of flow ${
      JSON.stringify(flow)
    }: their state was made with another definition ` +
      `(${
        each.join("; ")
      }); give the flow another name, which begins anew, or the definition it had`,
  );
}

function shown(value: unknown): string {
  return value === undefined ? "absent" : JSON.stringify(value);
}
