import { encodeKey } from "../cache/keys.ts";
import type { StateRows } from "../flow/state/state.ts";
import { WindowDeadlines } from "./deadlines.ts";
import { ALL, type MapKey, partsOf, toMapKey } from "./window_key.ts";
import type { Entry, Span, Windows, WindowsHost } from "./windows.ts";
import { MergeQueue } from "./merge_queue.ts";

/** A message in a sliding window. */
interface Event {
  readonly time: number;
  readonly partition: number;
  readonly arrival: number;
  /** An accumulator with this message alone. */
  readonly share: unknown;
  readonly stored: string;
  revision: number;
  /** True once its window has closed: it is part of later ones until they are `size` away. */
  closed: boolean;
  saved: boolean;
  gone: boolean;
}

/** The messages of one key. */
interface Slide {
  readonly scope: number;
  readonly key: unknown;
  readonly mapKey: MapKey;
  /** Those whose windows are open, in order. */
  readonly open: Event[];
  /** Those before them, from the first that is in a window. */
  readonly queue: MergeQueue<Event>;
}

interface Scope {
  readonly keys: Map<MapKey, Slide>;
  readonly deadlines: WindowDeadlines<Slide>;
}

/**
 * A window for each message: it has the messages of the key that are not after it, in the order of time, partition
 * and arrival, and less than `size` before it.
 */
export class SlidingWindows implements Windows {
  readonly #host: WindowsHost;
  readonly #size: number;
  readonly #scopes = new Map<number, Scope>();
  readonly #due = new Set<number>();
  readonly #unsaved = new Map<Event, Slide>();
  #last: Iterator<Slide> | undefined;
  readonly changed = false;

  constructor(host: WindowsHost, size: number) {
    this.#host = host;
    this.#size = size;
  }

  get due(): boolean {
    return this.#due.size > 0;
  }

  add(entry: Entry): readonly Span[] | undefined {
    const { time, partition, arrival, read, scope, key, mapKey } = entry;
    if (time < entry.watermark) return [];
    const { how } = this.#host;
    const share = how.add(how.init(), read);
    const parts = [scope, ...partsOf(key), time, partition, arrival];
    const event: Event = {
      time,
      partition,
      arrival,
      share,
      stored: this.#host.prefix + encodeKey(parts),
      revision: 0,
      closed: false,
      saved: false,
      gone: false,
    };
    const slide = this.#slide(scope, key, mapKey);
    insert(slide.open, event);
    this.#unsaved.set(event, slide);
    this.#scope(scope).deadlines.add(time, slide);
    this.moved(scope);
    return undefined;
  }

  moved(scope: number): void {
    const known = this.#scopes.get(scope);
    if (known === undefined) return;
    if (this.#reached(scope, known.deadlines.next)) this.#due.add(scope);
  }

  next(scope: number): number {
    return this.#scopes.get(scope)?.deadlines.next ?? Infinity;
  }

  close(most: number): void {
    for (const scope of this.#due) {
      const { deadlines } = this.#scope(scope);
      while (this.#reached(scope, deadlines.next)) {
        if (most-- === 0) return;
        const slide = deadlines.take(Infinity)!;
        const first = slide.open[0];
        if (first === undefined) this.#forget(slide);
        else if (this.#reached(scope, first.time)) this.#close(slide);
      }
      this.#due.delete(scope);
    }
  }

  giveChanged(): void {}

  giveOpen(most: number): boolean {
    this.#last ??= this.#all();
    while (most-- > 0) {
      const { value: slide, done } = this.#last.next();
      if (done) return false;
      const queue = new MergeQueue<Event>(this.#merge);
      for (const event of slide.queue) queue.push(event, event.share);
      for (const event of slide.open) {
        this.#slideTo(queue, event);
        this.#give(slide, event, queue.value);
      }
    }
    return true;
  }

  /** See {@linkcode Windows.open}. */
  get open(): number {
    let open = 0;
    for (const { keys } of this.#scopes.values()) {
      for (const slide of keys.values()) open += slide.open.length;
    }
    return open;
  }

  load(rows: StateRows): void {
    for (const [stored, value] of rows.scan(this.#host.prefix)) {
      const [scope, key, time, partition, arrival, share, revision, closed] = value as [
        number,
        unknown,
        number,
        number,
        number,
        unknown,
        number,
        boolean,
      ];
      const event: Event = {
        time,
        partition,
        arrival,
        share,
        stored,
        revision,
        closed,
        saved: true,
        gone: false,
      };
      const slide = this.#slide(scope, key, toMapKey(key));
      const { deadlines } = this.#scope(scope);
      if (closed) slide.queue.push(event, share); // in the order of the rows
      else insert(slide.open, event);
      deadlines.add(closed ? time + this.#size : time, slide);
    }
    for (const scope of this.#scopes.keys()) this.moved(scope);
  }

  save(rows: StateRows): void {
    for (const [event, { scope, key }] of this.#unsaved) {
      const { time, partition, arrival, share, stored, revision, closed } = event;
      if (!event.gone) {
        rows.set(stored, [scope, key, time, partition, arrival, share, revision, closed]);
        event.saved = true;
      } else if (event.saved) rows.delete(stored);
    }
    this.#unsaved.clear();
  }

  *#all(): Generator<Slide, undefined> {
    for (const { keys } of this.#scopes.values()) yield* keys.values();
    return undefined;
  }

  /** With several partitions one that is at the time may still have a message of that time. */
  #reached(scope: number, time: number): boolean {
    const watermark = this.#host.closing(scope);
    return scope === ALL ? watermark > time : watermark >= time;
  }

  #scope(scope: number): Scope {
    let known = this.#scopes.get(scope);
    if (known === undefined) {
      this.#scopes.set(scope, known = { keys: new Map(), deadlines: new WindowDeadlines() });
    }
    return known;
  }

  #slide(scope: number, key: unknown, mapKey: MapKey): Slide {
    const { keys } = this.#scope(scope);
    let slide = keys.get(mapKey);
    if (slide === undefined) {
      slide = { scope, key, mapKey, open: [], queue: new MergeQueue(this.#merge) };
      keys.set(mapKey, slide);
    }
    return slide;
  }

  readonly #merge = (first: unknown, second: unknown): unknown =>
    this.#host.how.merge!(first, second);

  #close(slide: Slide): void {
    const event = slide.open.shift()!;
    for (const gone of this.#slideTo(slide.queue, event)) {
      gone.gone = true;
      this.#unsaved.set(gone, slide);
    }
    event.closed = true;
    this.#unsaved.set(event, slide);
    this.#host.closed();
    this.#give(slide, event, slide.queue.value);
    this.#scope(slide.scope).deadlines.add(event.time + this.#size, slide);
  }

  /** Adds a message, and takes out what is not in its window. */
  #slideTo(queue: MergeQueue<Event>, event: Event): Event[] {
    const gone: Event[] = [];
    for (let first = queue.first; first; first = queue.first) {
      if (first.time > event.time - this.#size) break;
      gone.push(queue.shift()!);
    }
    queue.push(event, event.share);
    return gone;
  }

  #give({ scope, key }: Slide, event: Event, accumulator: unknown): void {
    const { time, partition, arrival } = event;
    const place = `${time}:${this.#host.nameOf(partition)}:${arrival}`;
    const value = this.#host.how.result(accumulator);
    const revision = ++event.revision;
    const start = time - this.#size;
    this.#host.give({ scope, key, start, end: time, place, value, revision, final: true });
  }

  /** Nothing is open: what no later message can have in its window is forgotten. */
  #forget(slide: Slide): void {
    const { scope, queue, mapKey } = slide;
    const watermark = this.#host.closing(scope);
    for (let first = queue.first; first; first = queue.first) {
      if (first.time > watermark - this.#size) return;
      queue.shift();
      first.gone = true;
      this.#unsaved.set(first, slide);
    }
    this.#scope(scope).keys.delete(mapKey);
  }
}

/** Inserts an event into those that are in order. */
function insert(events: Event[], event: Event): void {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(event, events[middle]!)) high = middle;
    else low = middle + 1;
  }
  events.splice(low, 0, event);
}

function isBefore(a: Event, b: Event): boolean {
  if (a.time !== b.time) return a.time < b.time;
  if (a.partition !== b.partition) return a.partition < b.partition;
  return a.arrival < b.arrival;
}
