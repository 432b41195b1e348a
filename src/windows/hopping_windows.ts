import { encodeKey } from "../cache/keys.ts";
import { copyIn } from "../cache/values.ts";
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

/** A piece of time that no window begins or ends within: the windows around it share what was added to it. */
interface Pane {
  readonly of: Paned;
  readonly start: number;
  readonly stored: string;
  parts: Parts;
  /** The number of its last change among those of its key. */
  changed: number;
  saved: boolean;
  gone: boolean;
}

/** A window of one key. */
interface Hop extends Span {
  readonly of: Paned;
  revision: number;
  told: number;
  /** The number of the last change that a result was given of. */
  toldAt: number;
  closed: boolean;
  /** What a partition has in it since its own watermark has passed: later messages are for later windows alone. */
  readonly frozen: Map<number, unknown>;
}

/** The panes and windows of one key. */
interface Paned {
  readonly scope: number;
  readonly key: unknown;
  readonly mapKey: MapKey;
  readonly stored: string;
  readonly panes: Map<number, Pane>;
  readonly hops: Map<number, Hop>;
  changes: number;
  /** No window that ends here or before is ever given again. */
  past: number;
  saved: boolean;
}

interface Scope {
  readonly keys: Map<MapKey, Paned>;
  /** The windows of all keys by their starts. */
  readonly buckets: Map<number, Bucket>;
  due: number;
}

interface Bucket extends Span {
  readonly hops: Set<Hop>;
}

/**
 * Windows that overlap, of panes as long as the greatest common divisor of `size` and `every`: a message is added to
 * one pane, and a window that closes merges its panes.
 */
export class HoppingWindows implements Windows {
  readonly #host: WindowsHost;
  readonly #size: number;
  readonly #every: number;
  readonly #pane: number;
  readonly #scopes = new Map<number, Scope>();
  readonly #due = new Set<number>();
  readonly #changed = new Set<Paned>();
  readonly #unsavedPanes = new Set<Pane>();
  readonly #unsavedKeys = new Set<Paned>();
  #last: Iterator<Hop> | undefined;

  constructor(host: WindowsHost, size: number, every: number) {
    this.#host = host;
    this.#size = size;
    this.#every = every;
    this.#pane = divisorOf(size, every);
  }

  get due(): boolean {
    return this.#due.size > 0;
  }

  get changed(): boolean {
    return this.#changed.size > 0;
  }

  add(entry: Entry): readonly Span[] | undefined {
    const { accept, eager } = this.#host;
    const scope = this.#scope(entry.scope);
    const of = scope.keys.get(entry.mapKey) ?? this.#begin(entry);
    const start = Math.floor(entry.time / this.#pane) * this.#pane;
    const firstEnd = (Math.floor((start - this.#size) / this.#every) + 1) * this.#every +
      this.#size;
    const closing = this.#host.closing(entry.scope);
    const settled = closing >= firstEnd || entry.watermark >= firstEnd + accept;
    let late: Span[] | undefined;
    if (settled) {
      const spans = this.#spans(start);
      late = spans.filter(({ end }) => entry.watermark >= end + accept);
      if (late.length === spans.length) return late;
    }
    const known = of.panes.get(start);
    const pane = known ?? this.#newPane(of, start);
    if (settled) this.#settle(of, entry, late!);
    addToOne(pane, entry, this.#host);
    scope.keys.set(of.mapKey, of);
    pane.changed = ++of.changes;
    this.#unsavedPanes.add(pane);
    if (known === undefined) this.#register(scope, pane);
    if (eager) this.#changed.add(of);
    else if (settled) {
      for (const { start: place } of this.#spans(start)) {
        const hop = of.hops.get(place);
        if (hop?.closed && !late!.some((span) => span.start === place)) this.#give(hop);
      }
    }
    return late !== undefined && late.length > 0 ? late : undefined;
  }

  moved(scope: number): void {
    const known = this.#scopes.get(scope);
    if (known !== undefined && this.#host.closing(scope) >= known.due) this.#due.add(scope);
  }

  next(scope: number): number {
    let next = Infinity;
    for (const { end, hops } of this.#scopes.get(scope)?.buckets.values() ?? []) {
      if (end < next && hops.values().some(({ closed }) => !closed)) next = end;
    }
    return next;
  }

  close(most: number): void {
    for (const number of this.#due) {
      const watermark = this.#host.closing(number);
      const scope = this.#scope(number);
      const inOrder = [...scope.buckets.values()].filter(({ end }) => end <= watermark)
        .sort((a, b) => a.end - b.end);
      for (const { end, hops } of inOrder) {
        for (const hop of hops) {
          if (most-- === 0) return;
          if (!hop.closed) this.#close(hop);
          else if (watermark >= end + this.#host.accept) this.#forget(hop);
        }
        if (watermark < end + this.#host.accept) continue;
        for (const hop of hops) {
          if (most-- === 0) return;
          this.#forget(hop);
        }
      }
      this.#due.delete(number);
      this.#setDue(scope);
    }
  }

  giveChanged(most: number): void {
    for (const of of this.#changed) {
      for (const hop of inOrderOf(of.hops)) {
        if (!this.#hasChanged(hop)) continue;
        if (most-- === 0) return;
        this.#give(hop);
      }
      this.#changed.delete(of);
    }
  }

  giveOpen(most: number): boolean {
    return giveRest(
      this.#last ??= this.#all(),
      most,
      (hop) => hop.told === TOLD_FINAL && !this.#hasChanged(hop),
      (hop) => this.#give(hop, true),
    );
  }

  /** See {@linkcode Windows.open}. */
  get open(): number {
    let open = 0;
    for (const { buckets } of this.#scopes.values()) {
      for (const { hops } of buckets.values()) for (const hop of hops) if (!hop.closed) open++;
    }
    return open;
  }

  load(rows: StateRows): void {
    const all = [...rows.scan(this.#host.prefix)];
    for (const [stored, value] of all) {
      if ((value as unknown[])[0] !== "key") continue;
      const [, scope, key, past, hops] = value as [
        "key",
        number,
        unknown,
        number,
        [number, number, number, boolean, [number, unknown][]][],
      ];
      const of = this.#newKey(scope, key, toMapKey(key), stored);
      of.past = past;
      of.saved = true;
      this.#scope(scope).keys.set(of.mapKey, of);
      for (const [start, revision, told, closed, frozen] of hops) {
        const hop = this.#hop(this.#scope(scope), of, start);
        Object.assign(hop, { revision, told, toldAt: told === UNTOLD ? -1 : 0, closed });
        for (const [partition, accumulator] of frozen) hop.frozen.set(partition, accumulator);
      }
    }
    for (const [stored, value] of all) {
      if ((value as unknown[])[0] !== "pane") continue;
      const [, scope, key, start, parts] = value as ["pane", number, unknown, number, Parts];
      const { keys } = this.#scope(scope);
      const mapKey = toMapKey(key);
      const of = keys.get(mapKey) ?? this.#newKey(scope, key, mapKey, this.#keyOf(scope, key));
      keys.set(mapKey, of);
      const pane: Pane = { of, start, stored, parts, changed: 0, saved: true, gone: false };
      this.#register(this.#scope(scope), pane);
      if (this.#host.eager) this.#changed.add(of);
    }
    for (const scope of this.#scopes.values()) this.#setDue(scope);
    for (const scope of this.#scopes.keys()) this.moved(scope);
  }

  save(rows: StateRows): void {
    for (const pane of this.#unsavedPanes) {
      const { of: { scope, key }, start, stored, parts } = pane;
      if (!pane.gone) {
        rows.set(stored, ["pane", scope, key, start, parts]);
        pane.saved = true;
      } else if (pane.saved) rows.delete(stored);
    }
    for (const of of this.#unsavedKeys) {
      const { scope, key, stored, past, panes, hops } = of;
      if (panes.size === 0 && hops.size === 0) {
        if (of.saved) rows.delete(stored);
        of.saved = false;
        continue;
      }
      const noted = hops.values().filter(({ revision, closed, frozen }) =>
        revision > 0 || closed || frozen.size > 0
      ).map((hop) => {
        const told = this.#hasChanged(hop) ? UNTOLD : hop.told;
        return [hop.start, hop.revision, told, hop.closed, [...hop.frozen]];
      });
      rows.set(stored, ["key", scope, key, past, [...noted]]);
      of.saved = true;
    }
    this.#unsavedPanes.clear();
    this.#unsavedKeys.clear();
  }

  *#all(): Generator<Hop, undefined> {
    for (const { buckets } of this.#scopes.values()) {
      const inOrder = [...buckets.values()].sort((a, b) => a.end - b.end);
      for (const { hops } of inOrder) yield* hops;
    }
    return undefined;
  }

  #scope(scope: number): Scope {
    let known = this.#scopes.get(scope);
    if (known === undefined) {
      known = { keys: new Map(), buckets: new Map(), due: Infinity };
      this.#scopes.set(scope, known);
    }
    return known;
  }

  #keyOf(scope: number, key: unknown): string {
    return this.#host.prefix + encodeKey([scope, ...partsOf(key), "key"]);
  }

  #begin({ scope, key, mapKey }: Entry): Paned {
    return this.#newKey(scope, key, mapKey, this.#keyOf(scope, key));
  }

  #newKey(scope: number, key: unknown, mapKey: MapKey, stored: string): Paned {
    return {
      scope,
      key,
      mapKey,
      stored,
      panes: new Map(),
      hops: new Map(),
      changes: 0,
      past: -Infinity,
      saved: false,
    };
  }

  #newPane(of: Paned, start: number): Pane {
    const stored = this.#host.prefix + encodeKey([of.scope, ...partsOf(of.key), start]);
    return { of, start, stored, parts: [], changed: 0, saved: false, gone: false };
  }

  /** The windows around the pane that begins at `start`, in order. */
  #spans(start: number): Span[] {
    const spans: Span[] = [];
    let place = Math.floor(start / this.#every) * this.#every;
    for (; place > start - this.#size; place -= this.#every) {
      spans.push({ start: place, end: place + this.#size });
    }
    return spans.reverse();
  }

  #hop({ buckets }: Scope, of: Paned, start: number): Hop {
    const known = of.hops.get(start);
    if (known !== undefined) return known;
    const end = start + this.#size;
    const hop: Hop = {
      of,
      start,
      end,
      revision: 0,
      told: UNTOLD,
      toldAt: -1,
      closed: false,
      frozen: new Map(),
    };
    of.hops.set(start, hop);
    const bucket = buckets.getOrInsertComputed(start, () => ({ start, end, hops: new Set() }));
    bucket.hops.add(hop);
    return hop;
  }

  /** A pane has got its first message: it is in the windows around it that are not past. */
  #register(scope: Scope, pane: Pane): void {
    const { of } = pane;
    of.panes.set(pane.start, pane);
    for (const { start, end } of this.#spans(pane.start)) {
      if (end <= of.past) continue;
      this.#hop(scope, of, start);
      scope.due = Math.min(scope.due, end);
    }
    this.moved(of.scope);
  }

  /**
   * Before a message is added to a pane that windows share which have closed, or are over for its partition: what is
   * due of its key is closed, and what is over keeps what it has.
   */
  #settle(of: Paned, { partition, scope: number }: Entry, late: readonly Span[]): void {
    const closing = this.#host.closing(number);
    const { accept } = this.#host;
    for (const hop of inOrderOf(of.hops)) {
      if (hop.end > closing) break;
      if (!hop.closed) this.#close(hop);
      if (hop.end + accept <= closing && of.hops.has(hop.start)) this.#forget(hop);
    }
    of.past = Math.max(of.past, closing - accept);
    this.#unsavedKeys.add(of);
    if (number !== ALL) return;
    for (const { start, end } of late) {
      if (end <= of.past) continue;
      const hop = this.#hop(this.#scope(number), of, start);
      if (hop.frozen.has(partition)) continue;
      const part = this.#partsOf(hop).find(([of]) => of === partition);
      hop.frozen.set(partition, part === undefined ? null : copyIn(part[1]).value);
    }
  }

  /** What a window has: its panes, in the order of time, but for partitions that are over. */
  #partsOf({ of, start, end, frozen }: Hop): Parts {
    let parts: Parts = [];
    for (let at = start; at < end; at += this.#pane) {
      const pane = of.panes.get(at);
      if (pane !== undefined) parts = mergeParts(parts, pane.parts, this.#host.how);
    }
    if (frozen.size === 0) return parts;
    const kept = parts.filter(([partition]) => !frozen.has(partition));
    for (const [partition, accumulator] of frozen) {
      if (accumulator !== null) kept.push([partition, accumulator]);
    }
    return kept.sort((a, b) => a[0] - b[0]);
  }

  #hasChanged({ of, start, end, told, toldAt }: Hop): boolean {
    if (told === UNTOLD) return true;
    for (let at = start; at < end; at += this.#pane) {
      if ((of.panes.get(at)?.changed ?? -1) > toldAt) return true;
    }
    return false;
  }

  #close(hop: Hop): void {
    hop.closed = true;
    this.#unsavedKeys.add(hop.of);
    this.#host.closed();
    if (hop.told !== TOLD_FINAL || this.#hasChanged(hop)) this.#give(hop);
    if (this.#host.accept === 0) this.#forget(hop);
  }

  #give(hop: Hop, final: boolean = hop.closed): void {
    const { of, start, end } = hop;
    const parts = this.#partsOf(hop);
    hop.told = final ? TOLD_FINAL : TOLD_OPEN;
    hop.toldAt = of.changes;
    if (parts.length === 0) return; // what it would have had is over
    this.#unsavedKeys.add(of);
    const value = resultOf(parts, this.#host.how);
    const { scope, key } = of;
    const revision = ++hop.revision;
    this.#host.give({ scope, key, start, end, place: start, value, revision, final });
  }

  #forget(hop: Hop): void {
    const { of, start, end } = hop;
    if (this.#changed.has(of) && this.#hasChanged(hop)) this.#give(hop);
    const { buckets, keys } = this.#scope(of.scope);
    of.hops.delete(start);
    buckets.get(start)!.hops.delete(hop);
    of.past = Math.max(of.past, end);
    this.#unsavedKeys.add(of);
    // It was the last window around these.
    for (let at = start; at < Math.min(start + this.#every, end); at += this.#pane) {
      const pane = of.panes.get(at);
      if (pane === undefined) continue;
      pane.gone = true;
      of.panes.delete(at);
      this.#unsavedPanes.add(pane);
    }
    if (of.hops.size === 0 && of.panes.size === 0) {
      keys.delete(of.mapKey);
      this.#changed.delete(of);
    }
  }

  /** Finds when the next window of a scope closes, or can be forgotten. */
  #setDue(scope: Scope): void {
    scope.due = Infinity;
    for (const [start, { end, hops }] of scope.buckets) {
      if (hops.size === 0) {
        scope.buckets.delete(start);
        continue;
      }
      const isOpen = hops.values().some(({ closed }) => !closed);
      scope.due = Math.min(scope.due, isOpen ? end : end + this.#host.accept);
    }
  }
}

function inOrderOf(hops: ReadonlyMap<number, Hop>): Hop[] {
  return [...hops.values()].sort((a, b) => a.start - b.start);
}
