import type { Fate } from "./ledger.ts";
import type { FlowSpec } from "./simulated_graph.ts";
import type { Handed } from "./simulated_source.ts";

/** A message, or something made from one. */
export interface Value {
  readonly id: string;
  /** The flows that it went through, from its source. */
  readonly path: string;
  /** Its place among those of the same path. */
  readonly order: readonly number[];
  readonly depth: number;
  /** 0 or 1: a gate may hold either. */
  readonly partition: number;
  /** What it is in front of the pipes of the flow that it is in. */
  readonly taken: readonly Value[];
  /** What its hand-out is recorded in; absent in sources that nobody acknowledges to. */
  readonly handed?: Handed;
}

/** The message that a source hands out. */
export function rootValue(source: string, serial: number, handed?: Handed): Value {
  const taken: Value[] = [];
  const value: Value = {
    id: `${source}#${serial}`,
    path: source,
    order: [serial],
    depth: 0,
    partition: serial % 2,
    taken,
    ...(handed && { handed }),
  };
  taken.push(value);
  return value;
}

/** A value that the handler of a flow gives; `handled` counts what the flow has begun. */
export function madeValue(
  { name, pipes }: FlowSpec,
  { taken: inputs, calls }: Fate,
  index: number,
  handled: number,
): Value {
  const first = inputs[0]!;
  const batched = pipes.some(({ kind }) => kind === "batch");
  const taken: Value[] = [];
  const value: Value = {
    id: `${inputs.map(({ id }) => id).join("+")}>${name}.${calls}.${index}`,
    path: `${batched ? "batch" : first.path}>${name}`,
    order: batched ? [handled, calls, index] : [...first.order, calls, index],
    depth: Math.max(...inputs.map(({ depth }) => depth)) + 1,
    partition: index % 2,
    taken,
  };
  taken.push(value);
  return value;
}

/** The key of a message in a flow that handles messages concurrently; undefined where there are none. */
export function keyOf({ id }: Pick<Value, "id">, keys: number): number | undefined {
  if (keys === 0) return undefined;
  let sum = 0;
  for (const letter of id) sum = (sum * 31 + letter.charCodeAt(0)) % 65_521;
  return sum % keys;
}

/** What a pipe makes of a value. */
export function mappedValue(value: Value, by: string): Value {
  return { ...value, id: `${value.id}|${by}` };
}
