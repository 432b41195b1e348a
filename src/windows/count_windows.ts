import { encodeKey } from "../cache/keys.ts";
import type { StateRows } from "../flow/state/state.ts";
import { copyIn } from "../cache/values.ts";
import { ALL, type MapKey, partsOf, toMapKey } from "./window_key.ts";
import {
  type Entry,
  type Span,
  TOLD_FINAL,
  TOLD_OPEN,
  UNTOLD,
  type Windows,
  type WindowsHost,
} from "./windows.ts";

/** The messages of one key since its last window closed. */
interface Counted {
  readonly scope: number;
  readonly key: unknown;
  readonly stored: string;
  index: number;
  count: number;
  start: number;
  end: number;
  accumulator: unknown;
  /** How many results were given of the window that is open: at an end of the source. */
  revision: number;
  told: number;
}

/** Windows of a number of messages, in the order of arrival: they close by the last of them. */
export class CountWindows implements Windows {
  readonly #host: WindowsHost;
  readonly #size: number;
  readonly #scopes = new Map<number, Map<MapKey, Counted>>();
  readonly #changed = new Set<Counted>();
  readonly #unsaved = new Set<Counted>();
  #last: Iterator<Counted> | undefined;
  readonly due = false;

  constructor(host: WindowsHost, size: number) {
    this.#host = host;
    this.#size = size;
  }

  get changed(): boolean {
    return this.#changed.size > 0;
  }

  add({ scope, key, mapKey, time, read }: Entry): readonly Span[] | undefined {
    const { how, careful } = this.#host;
    const keys = this.#scope(scope);
    const known = keys.get(mapKey);
    const counted = known ?? this.#begin(scope, key);
    const { accumulator } = counted;
    const base = careful && how.throws ? copyIn(accumulator).value : accumulator;
    counted.accumulator = how.add(base, read);
    if (known === undefined) keys.set(mapKey, counted);
    counted.start = Math.min(counted.start, time);
    counted.end = Math.max(counted.end, time);
    counted.told = UNTOLD;
    this.#unsaved.add(counted);
    if (++counted.count < this.#size) {
      if (this.#host.eager) this.#changed.add(counted);
      return undefined;
    }
    this.#host.closed();
    this.#give(counted, true);
    Object.assign(counted, {
      index: counted.index + 1,
      count: 0,
      start: Infinity,
      end: -Infinity,
      accumulator: how.init(),
      revision: 0,
      told: TOLD_FINAL,
    });
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
    this.#last ??= this.#all();
    for (;;) {
      const { value: counted, done } = this.#last.next();
      if (done) return false;
      if (counted.told === TOLD_FINAL) continue;
      this.#give(counted, true);
      if (--most === 0) return true;
    }
  }

  load(rows: StateRows): void {
    for (const [stored, value] of rows.scan(this.#host.prefix)) {
      const [scope, key, index, count, start, end, accumulator, revision, told] = value as [
        number,
        unknown,
        number,
        number,
        number,
        number,
        unknown,
        number,
        number,
      ];
      const counted = { scope, key, stored, index, count, start, end, accumulator, revision, told };
      this.#scope(scope).set(toMapKey(key), counted);
      if (told === UNTOLD && this.#host.eager) this.#changed.add(counted);
    }
  }

  save(rows: StateRows): void {
    for (const counted of this.#unsaved) {
      const { scope, key, stored, index, count, start, end, accumulator, revision, told } = counted;
      rows.set(stored, [scope, key, index, count, start, end, accumulator, revision, told]);
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
      count: 0,
      start: Infinity,
      end: -Infinity,
      accumulator: this.#host.how.init(),
      revision: 0,
      told: TOLD_FINAL,
    };
  }

  #give(counted: Counted, final: boolean): void {
    const { scope, key, start, end, index, accumulator } = counted;
    this.#changed.delete(counted);
    counted.told = final ? TOLD_FINAL : TOLD_OPEN;
    const value = this.#host.how.result(accumulator);
    this.#unsaved.add(counted);
    const revision = ++counted.revision;
    this.#host.give({ scope, key, start, end, place: index, index, value, revision, final });
  }
}
