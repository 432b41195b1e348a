import { encodeKey } from "../cache/keys.ts";
import type { StateRows } from "../flow/state/state.ts";
import type { Alignment } from "./alignment.ts";
import { type MapKey, partsOf, toMapKey } from "./window_key.ts";
import {
  addToOne,
  type CorrectableWindows,
  type Entry,
  giveRest,
  type Parts,
  resultOf,
  type Share,
  type Span,
  takeFrom,
  TOLD_FINAL,
  TOLD_OPEN,
  UNTOLD,
  type WindowsHost,
} from "./windows.ts";

/** A window of one key. */
interface Row {
  readonly bucket: Bucket;
  readonly key: unknown;
  readonly mapKey: MapKey;
  /** The key of its row. */
  readonly stored: string;
  parts: Parts;
  /** How many messages are in it. */
  size: number;
  revision: number;
  told: number;
  closed: boolean;
  /** True where a row of it may be in the store. */
  saved: boolean;
  /** True while it has changed since the last cut. */
  unsaved: boolean;
  gone: boolean;
}

/** The windows of all keys that begin and end at the same time. */
interface Bucket extends Span {
  readonly scope: number;
  readonly rows: Map<MapKey, Row>;
  /** Those that are open, in the order in which they came. */
  readonly open: Set<Row>;
}

/** The windows of one scope, and when the next of them is due. */
interface Scope {
  readonly buckets: Map<number, Bucket>;
  /** That of the last message: most are for the same one. */
  last: Bucket | undefined;
  due: number;
}

/**
 * Windows with fixed bounds that do not overlap: tumbling, and those of the calendar. Those of all keys with the same
 * bounds close together.
 */
export class AlignedWindows implements CorrectableWindows {
  readonly #host: WindowsHost;
  readonly #alignment: Alignment;
  readonly #scopes = new Map<number, Scope>();
  readonly #due = new Set<number>();
  readonly #changed = new Set<Row>();
  #unsaved: Row[] = [];
  /** What is still to be looked at once the source has ended. */
  #last: Iterator<Row> | undefined;

  constructor(host: WindowsHost, alignment: Alignment) {
    this.#host = host;
    this.#alignment = alignment;
  }

  get due(): boolean {
    return this.#due.size > 0;
  }

  get changed(): boolean {
    return this.#changed.size > 0;
  }

  add(entry: Entry): readonly Span[] | undefined {
    const span = this.#alignment.of(entry.time);
    const { accept } = this.#host;
    if (entry.watermark >= span.end + accept) return [span];
    const row = this.#row(this.#scope(entry.scope), span, entry);
    if (accept > 0) this.#closeFirst(row);
    addToOne(row, entry, this.#host);
    row.size++;
    this.#added(row);
    return undefined;
  }

  replace(scope: number, was: Share | undefined, now: Entry | undefined): Share | undefined {
    const { how } = this.#host;
    const share = now && this.#shareOf(now);
    const old = was && this.#scopes.get(scope)?.buckets.get(was.start)?.rows.get(was.mapKey);
    if (was !== undefined && old === undefined) {
      throw new Error(
        `The window of ${was.key} at ${was.start} is gone, though it may be corrected`,
      );
    }
    if (old !== undefined && share?.mapKey === was!.mapKey && share.start === was!.start) {
      if (equal(was!.read, share.read)) return was;
      takeFrom(old, scope, was!.read, how);
      addToOne(old, now!, this.#host);
      this.#corrected(old);
      return share;
    }
    if (old !== undefined) {
      takeFrom(old, scope, was!.read, how);
      old.size--;
      this.#corrected(old);
    }
    if (share === undefined) return undefined;
    const row = this.#row(this.#scope(scope), share, now!);
    this.#closeFirst(row);
    addToOne(row, now!, this.#host);
    row.size++;
    this.#added(row, true);
    this.#closeFirst(row);
    return share;
  }

  /** See {@linkcode Windows.open}. */
  get open(): number {
    let open = 0;
    for (const { buckets } of this.#scopes.values()) {
      for (const bucket of buckets.values()) open += bucket.open.size;
    }
    return open;
  }

  /** What a message has in its window; undefined when it is late. */
  #shareOf({ key, mapKey, time, read, watermark }: Entry): Share | undefined {
    const { start, end } = this.#alignment.of(time);
    return watermark >= end + this.#host.accept ? undefined : { key, mapKey, start, end, read };
  }

  shareOf(entry: Entry): Share {
    return this.#shareOf(entry)!;
  }

  released(scope: number): void {
    const known = this.#scopes.get(scope);
    if (known === undefined) return;
    this.#setDue(known);
    this.moved(scope);
  }

  #keeps({ scope, end }: Bucket): boolean {
    return this.#host.least(scope) < end + this.#host.accept;
  }

  #corrected(row: Row): void {
    row.told = UNTOLD;
    this.#unsave(row);
    if (!row.closed && this.#host.closing(row.bucket.scope) >= row.bucket.end) this.#close(row);
    else if (this.#host.eager || row.closed) this.#changed.add(row);
  }

  moved(scope: number): void {
    const known = this.#scopes.get(scope);
    if (known !== undefined && this.#host.closing(scope) >= known.due) this.#due.add(scope);
  }

  next(scope: number): number {
    let next = Infinity;
    for (const { end, open } of this.#scopes.get(scope)?.buckets.values() ?? []) {
      if (open.size > 0 && end < next) next = end;
    }
    return next;
  }

  close(most: number): void {
    for (const scope of this.#due) {
      const watermark = this.#host.closing(scope);
      const known = this.#scopes.get(scope)!;
      const inOrder = [...known.buckets.values()].filter(({ end }) => end <= watermark)
        .sort((a, b) => a.end - b.end);
      for (const bucket of inOrder) {
        for (const row of bucket.open) {
          if (most-- === 0) return;
          this.#close(row);
        }
        if (watermark < bucket.end + this.#host.accept || this.#keeps(bucket)) continue;
        for (const row of bucket.rows.values()) {
          if (most-- === 0) return;
          this.#forget(row);
        }
        this.#dropBucket(known, bucket);
      }
      this.#due.delete(scope);
      this.#setDue(known);
    }
  }

  giveChanged(most: number): void {
    for (const row of this.#changed) {
      if (most-- === 0) return;
      this.#give(row);
    }
  }

  giveOpen(most: number): boolean {
    return giveRest(
      this.#last ??= this.#rows(),
      most,
      (row) => row.told === TOLD_FINAL,
      (row) => this.#give(row, true),
    );
  }

  load(rows: StateRows): void {
    for (const [stored, value] of rows.scan(this.#host.prefix)) {
      const [scope, start, end, key, parts, size, revision, told, closed] = value as [
        number,
        number,
        number,
        unknown,
        Parts,
        number,
        number,
        number,
        boolean,
      ];
      const bucket = this.#bucket(this.#scope(scope), scope, { start, end });
      const mapKey = toMapKey(key);
      const row: Row = {
        bucket,
        key,
        mapKey,
        stored,
        parts,
        size,
        revision,
        told,
        closed,
        saved: true,
        unsaved: false,
        gone: false,
      };
      bucket.rows.set(mapKey, row);
      if (!closed) bucket.open.add(row);
      if (told === UNTOLD && this.#host.eager) this.#changed.add(row);
    }
    for (const scope of this.#scopes.values()) this.#setDue(scope);
    for (const scope of this.#scopes.keys()) this.moved(scope);
  }

  save(rows: StateRows): void {
    for (const row of this.#unsaved) {
      const { bucket: { scope, start, end }, key, stored, parts, size } = row;
      const { revision, told, closed } = row;
      row.unsaved = false;
      if (!row.gone) {
        rows.set(stored, [scope, start, end, key, parts, size, revision, told, closed]);
        row.saved = true;
      } else if (row.saved) rows.delete(stored);
    }
    this.#unsaved = [];
  }

  #unsave(row: Row): void {
    if (row.unsaved) return;
    row.unsaved = true;
    this.#unsaved.push(row);
  }

  *#rows(): Generator<Row, undefined> {
    for (const { buckets } of this.#scopes.values()) {
      const inOrder = [...buckets.values()].sort((a, b) => a.end - b.end);
      for (const { rows } of inOrder) yield* rows.values();
    }
    return undefined;
  }

  #scope(scope: number): Scope {
    let known = this.#scopes.get(scope);
    if (known === undefined) {
      this.#scopes.set(scope, known = { buckets: new Map(), last: undefined, due: Infinity });
    }
    return known;
  }

  #bucket(scope: Scope, number: number, { start, end }: Span): Bucket {
    if (scope.last?.start === start) return scope.last;
    let bucket = scope.buckets.get(start);
    if (bucket === undefined) {
      bucket = { scope: number, start, end, rows: new Map(), open: new Set() };
      scope.buckets.set(start, bucket);
    }
    return scope.last = bucket;
  }

  #dropBucket(scope: Scope, bucket: Bucket): void {
    scope.buckets.delete(bucket.start);
    if (scope.last === bucket) scope.last = undefined;
  }

  /** The window of a message; a new one is not among the others before something was added to it. */
  #row(scope: Scope, span: Span, { scope: number, key, mapKey }: Entry): Row {
    const bucket = this.#bucket(scope, number, span);
    const known = bucket.rows.get(mapKey);
    if (known !== undefined) return known;
    const stored = this.#host.prefix + encodeKey([number, ...partsOf(key), span.start]);
    return {
      bucket,
      key,
      mapKey,
      stored,
      parts: [],
      size: 0,
      revision: 0,
      told: UNTOLD,
      closed: false,
      saved: false,
      unsaved: false,
      gone: false,
    };
  }

  /** An accepted message comes after what has closed, also where that has not been given yet. */
  #closeFirst(row: Row): void {
    const { bucket } = row;
    if (row.closed || row.parts.length === 0) return;
    if (this.#host.closing(bucket.scope) >= bucket.end) this.#close(row);
  }

  #added(row: Row, corrects = false): void {
    const { bucket } = row;
    if (row.parts.length === 1 && !bucket.rows.has(row.mapKey)) {
      bucket.rows.set(row.mapKey, row);
      bucket.open.add(row);
      const scope = this.#scopes.get(bucket.scope)!;
      if (bucket.end < scope.due) {
        scope.due = bucket.end;
        this.moved(bucket.scope);
      }
    }
    row.told = UNTOLD;
    this.#unsave(row);
    if (this.#host.eager || (row.closed && corrects)) this.#changed.add(row);
    else if (row.closed) this.#give(row);
  }

  #close(row: Row): void {
    row.closed = true;
    row.bucket.open.delete(row);
    this.#unsave(row);
    this.#host.closed();
    if (row.told !== TOLD_FINAL) this.#give(row);
    if (this.#host.accept === 0 && !this.#keeps(row.bucket)) this.#forget(row);
  }

  #give(row: Row, final: boolean = row.closed): void {
    const { bucket: { scope, start, end }, key, parts } = row;
    this.#changed.delete(row);
    row.told = final ? TOLD_FINAL : TOLD_OPEN;
    this.#unsave(row);
    if (row.size === 0 && row.revision === 0) return; // nobody knows of it
    const value = resultOf(parts, this.#host.how);
    const content = {
      scope,
      key,
      start,
      end,
      place: start,
      value,
      revision: ++row.revision,
      final,
    };
    this.#host.give(row.size === 0 ? { ...content, empty: true } : content);
  }

  #forget(row: Row): void {
    if (this.#changed.has(row)) this.#give(row);
    row.gone = true;
    row.bucket.rows.delete(row.mapKey);
    this.#unsave(row);
  }

  /** Finds when the next window of a scope closes, or can be forgotten. */
  #setDue(scope: Scope): void {
    scope.due = Infinity;
    for (const bucket of scope.buckets.values()) {
      const { end, rows, open } = bucket;
      if (rows.size === 0) this.#dropBucket(scope, bucket);
      else if (open.size > 0) scope.due = Math.min(scope.due, end);
      else if (!this.#keeps(bucket)) scope.due = Math.min(scope.due, end + this.#host.accept);
    }
  }
}

/** Returns whether what was read of a message is the same. */
function equal(a: unknown, b: unknown): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return Object.is(a, b);
  return a.length === b.length && a.every((each, index) => equal(each, b[index]));
}
