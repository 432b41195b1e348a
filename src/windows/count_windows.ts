import { encodeKey } from "../cache/keys.ts";
import type { StateRows } from "../flow/state/state.ts";
import { divisorOf } from "./divisor.ts";
import { ALL, type MapKey, partsOf, toMapKey } from "./window_key.ts";
import {
  addToOne,
  type Entry,
  giveRest,
  mergeParts,
  type Parts,
  resultOf,
  type Span,
  TOLD_FINAL,
  TOLD_OPEN,
  UNTOLD,
  type Windows,
  type WindowsHost,
} from "./windows.ts";

/** Messages that follow each other, and are in the same windows. */
interface Pane {
  parts: Parts;
  count: number;
  /** The least and the greatest of their times. */
  start: number;
  end: number;
}

/** The messages of one key that are in windows to come. */
interface Counted {
  readonly scope: number;
  readonly key: unknown;
  readonly stored: string;
  /** The number of the window that is open. */
  index: number;
  /** The last one takes messages, or is full. */
  panes: Pane[];
  /** Messages since the last window closed. */
  count: number;
  /** How many results were given of the window that is open. */
  revision: number;
  told: number;
}

/** Every message of a key in the order of arrival: no partition is told from another. */
const ONE = 0;

/** Windows of a number of messages, in the order of arrival: they close by the last of them. */
export class CountWindows implements Windows {
  readonly #host: WindowsHost;
  readonly #size: number;
  readonly #every: number;
  readonly #pane: number;
  readonly #scopes = new Map<number, Map<MapKey, Counted>>();
  readonly #changed = new Set<Counted>();
  readonly #unsaved = new Set<Counted>();
  #last: Iterator<Counted> | undefined;
  readonly due = false;

  constructor(host: WindowsHost, size: number, every: number) {
    this.#host = host;
    this.#size = size;
    this.#every = every;
    this.#pane = divisorOf(size, every);
  }

  get changed(): boolean {
    return this.#changed.size > 0;
  }

  add(entry: Entry): readonly Span[] | undefined {
    const { scope, key, mapKey, time } = entry;
    const keys = this.#scope(scope);
    const counted = keys.get(mapKey) ?? this.#begin(scope, key);
    const last = counted.panes.at(-1);
    const isOpen = last !== undefined && last.count < this.#pane;
    const pane = isOpen ? last : { parts: [], count: 0, start: Infinity, end: -Infinity };
    addToOne(pane, { ...entry, partition: ONE }, this.#host);
    if (!isOpen) counted.panes.push(pane);
    pane.count++;
    pane.start = Math.min(pane.start, time);
    pane.end = Math.max(pane.end, time);
    keys.set(mapKey, counted);
    counted.told = UNTOLD;
    this.#unsaved.add(counted);
    if (++counted.count < this.#every) {
      if (this.#host.eager) this.#changed.add(counted);
      return undefined;
    }
    this.#host.closed();
    this.#give(counted, true);
    const left = (this.#size - this.#every) / this.#pane;
    counted.panes = left === 0 ? [] : counted.panes.slice(-left);
    counted.index++;
    counted.count = counted.revision = 0;
    return undefined;
  }

  moved(): void {}

  next(): number {
    return Infinity;
  }

  close(): void {}

  giveChanged(most: number): void {
    for (const counted of this.#changed) {
      if (most-- === 0) return;
      this.#give(counted, false);
    }
  }

  giveOpen(most: number): boolean {
    return giveRest(
      this.#last ??= this.#all(),
      most,
      (counted) => counted.told === TOLD_FINAL,
      (counted) => this.#give(counted, true),
    );
  }

  /** See {@linkcode Windows.open}. */
  get open(): number {
    let open = 0;
    for (const keys of this.#scopes.values()) {
      for (const { count } of keys.values()) if (count > 0) open++;
    }
    return open;
  }

  load(rows: StateRows): void {
    for (const [stored, value] of rows.scan(this.#host.prefix)) {
      const [scope, key, index, panes, count, revision, told] = value as [
        number,
        unknown,
        number,
        Pane[],
        number,
        number,
        number,
      ];
      const counted = { scope, key, stored, index, panes, count, revision, told };
      this.#scope(scope).set(toMapKey(key), counted);
      if (told === UNTOLD && this.#host.eager) this.#changed.add(counted);
    }
  }

  save(rows: StateRows): void {
    for (const counted of this.#unsaved) {
      const { scope, key, stored, index, panes, count, revision, told } = counted;
      rows.set(stored, [scope, key, index, panes, count, revision, told]);
    }
    this.#unsaved.clear();
  }

  *#all(): Generator<Counted, undefined> {
    for (const keys of this.#scopes.values()) yield* keys.values();
    return undefined;
  }

  #scope(scope: number): Map<MapKey, Counted> {
    return this.#scopes.getOrInsertComputed(scope, () => new Map());
  }

  #begin(scope: number, key: unknown): Counted {
    return {
      scope,
      key,
      stored: this.#host.prefix + encodeKey([scope, ...partsOf(key), ALL]),
      index: 0,
      panes: [],
      count: 0,
      revision: 0,
      told: TOLD_FINAL,
    };
  }

  #give(counted: Counted, final: boolean): void {
    const { scope, key, index, panes } = counted;
    const { how } = this.#host;
    this.#changed.delete(counted);
    const parts = panes.slice(1).reduce<Parts>(
      (all, pane) => mergeParts(all, pane.parts, how),
      panes[0]!.parts,
    );
    const value = resultOf(parts, how);
    counted.told = final ? TOLD_FINAL : TOLD_OPEN;
    this.#unsaved.add(counted);
    const revision = ++counted.revision;
    const start = Math.min(...panes.map((pane) => pane.start));
    const end = Math.max(...panes.map((pane) => pane.end));
    this.#host.give({ scope, key, start, end, place: index, index, value, revision, final });
  }
}
