import { encodeKey } from "../cache/keys.ts";
import type { StateRows } from "../flow/state/state.ts";
import { WindowDeadlines } from "./deadlines.ts";
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

/** A session. */
interface Session {
  readonly of: Sessions;
  start: number;
  /** The time of its last message. */
  last: number;
  parts: Parts;
  told: number;
  closed: boolean;
  /** The starts under which results were given of what is in it. */
  given: number[];
  /** False once it is part of another one, or forgotten. */
  live: boolean;
}

/** The sessions of one key, in the order of time. */
interface Sessions {
  readonly scope: number;
  readonly key: unknown;
  readonly mapKey: MapKey;
  readonly stored: string;
  sessions: Session[];
  /** How many results were given, by start: a session may come back under a start that was replaced. */
  readonly revisions: Map<number, number>;
  saved: boolean;
}

interface Scope {
  readonly keys: Map<MapKey, Sessions>;
  /** When a session may have to be closed or forgotten; it may have got longer since. */
  readonly deadlines: WindowDeadlines<Session>;
}

/**
 * Sessions: the messages of a key with less than `gap` between two of them. A message may join two sessions; what was
 * given of the later one is replaced.
 */
export class SessionWindows implements Windows {
  readonly #host: WindowsHost;
  readonly #gap: number;
  readonly #scopes = new Map<number, Scope>();
  readonly #due = new Set<number>();
  readonly #changed = new Set<Session>();
  readonly #unsaved = new Set<Sessions>();
  #last: Iterator<Session> | undefined;
  #open = 0;

  constructor(host: WindowsHost, gap: number) {
    this.#host = host;
    this.#gap = gap;
  }

  get due(): boolean {
    return this.#due.size > 0;
  }

  get changed(): boolean {
    return this.#changed.size > 0;
  }

  add(entry: Entry): readonly Span[] | undefined {
    const { time } = entry;
    const { accept, how } = this.#host;
    if (time < entry.watermark - accept) return [];
    const of = this.#sessionsOf(entry);
    const near = of.sessions.filter(({ start, last }) =>
      time > start - this.#gap && time < last + this.#gap
    );
    const watermark = this.#host.closing(of.scope);
    for (const session of near) {
      if (!session.closed && watermark >= session.last + this.#gap) this.#close(session);
    }
    if (near.length === 1) {
      const session = near[0]!;
      addToOne(session, entry, this.#host);
      session.start = Math.min(session.start, time);
      session.last = Math.max(session.last, time);
      this.#added(session);
      return undefined;
    }
    const parts = near.map(({ parts }) => parts).reduce<Parts>(
      (all, each) => mergeParts(all, each, how),
      [],
    );
    const session: Session = {
      of,
      start: Math.min(time, near[0]?.start ?? time),
      last: Math.max(time, near.at(-1)?.last ?? time),
      parts,
      told: UNTOLD,
      closed: near.some(({ closed }) => closed),
      given: [...new Set(near.flatMap(({ given }) => given))],
      live: true,
    };
    addToOne(session, entry, this.#host);
    if (!session.closed) this.#open++;
    for (const each of near) {
      if (!each.closed) this.#open--;
      each.live = false;
      this.#changed.delete(each);
    }
    of.sessions = of.sessions.filter(({ live }) => live);
    const place = of.sessions.findIndex(({ start }) => start > session.start);
    of.sessions.splice(place < 0 ? of.sessions.length : place, 0, session);
    this.#scope(of.scope).keys.set(of.mapKey, of);
    this.#scope(of.scope).deadlines.add(session.last + this.#gap, session);
    this.#added(session);
    return undefined;
  }

  moved(scope: number): void {
    const known = this.#scopes.get(scope);
    if (known !== undefined && this.#host.closing(scope) >= known.deadlines.next) {
      this.#due.add(scope);
    }
  }

  next(scope: number): number {
    return this.#scopes.get(scope)?.deadlines.next ?? Infinity;
  }

  close(most: number): void {
    const { accept } = this.#host;
    for (const scope of this.#due) {
      const watermark = this.#host.closing(scope);
      const { deadlines } = this.#scope(scope);
      for (;;) {
        if (deadlines.next > watermark) break;
        if (most-- === 0) return;
        const session = deadlines.take(watermark)!;
        if (!session.live) continue;
        const end = session.last + this.#gap;
        if (watermark < end) deadlines.add(end, session);
        else {
          if (!session.closed) this.#close(session);
          if (watermark >= end + accept) this.#forget(session);
          else deadlines.add(end + accept, session);
        }
      }
      this.#due.delete(scope);
    }
  }

  giveChanged(most: number): void {
    for (const session of this.#changed) {
      if (most-- === 0) return;
      this.#give(session);
    }
  }

  giveOpen(most: number): boolean {
    return giveRest(
      this.#last ??= this.#all(),
      most,
      (session) => session.told === TOLD_FINAL,
      (session) => this.#give(session, true),
    );
  }

  /** See {@linkcode Windows.open}. */
  get open(): number {
    return this.#open;
  }

  load(rows: StateRows): void {
    for (const [stored, value] of rows.scan(this.#host.prefix)) {
      const [scope, key, sessions, revisions] = value as [
        number,
        unknown,
        [number, number, Parts, number, boolean, number[]][],
        [number, number][],
      ];
      const of: Sessions = {
        scope,
        key,
        mapKey: toMapKey(key),
        stored,
        sessions: [],
        revisions: new Map(revisions),
        saved: true,
      };
      const { keys, deadlines } = this.#scope(scope);
      keys.set(of.mapKey, of);
      for (const [start, last, parts, told, closed, given] of sessions) {
        const session = { of, start, last, parts, told, closed, given, live: true };
        of.sessions.push(session);
        if (!closed) this.#open++;
        deadlines.add(last + this.#gap, session);
        if (told === UNTOLD && this.#host.eager) this.#changed.add(session);
      }
    }
    for (const scope of this.#scopes.keys()) this.moved(scope);
  }

  save(rows: StateRows): void {
    for (const of of this.#unsaved) {
      const { scope, key, stored, sessions, revisions } = of;
      if (sessions.length === 0) {
        if (of.saved) rows.delete(stored);
        of.saved = false;
        continue;
      }
      const all = sessions.map((
        { start, last, parts, told, closed, given },
      ) => [start, last, parts, told, closed, given]);
      rows.set(stored, [scope, key, all, [...revisions]]);
      of.saved = true;
    }
    this.#unsaved.clear();
  }

  *#all(): Generator<Session, undefined> {
    for (const { keys } of this.#scopes.values()) {
      for (const { sessions } of keys.values()) yield* sessions;
    }
    return undefined;
  }

  #scope(scope: number): Scope {
    let known = this.#scopes.get(scope);
    if (known === undefined) {
      this.#scopes.set(scope, known = { keys: new Map(), deadlines: new WindowDeadlines() });
    }
    return known;
  }

  #sessionsOf({ scope, key, mapKey }: Entry): Sessions {
    return this.#scope(scope).keys.get(mapKey) ?? {
      scope,
      key,
      mapKey,
      stored: this.#host.prefix + encodeKey([scope, ...partsOf(key), ALL]),
      sessions: [],
      revisions: new Map(),
      saved: false,
    };
  }

  /** A session has got a message; one that had closed stays closed only where its new end has passed too. */
  #added(session: Session): void {
    const { of } = session;
    session.told = UNTOLD;
    this.#unsaved.add(of);
    if (session.closed && this.#host.closing(of.scope) < session.last + this.#gap) {
      session.closed = false;
      this.#open++;
      this.#scope(of.scope).deadlines.add(session.last + this.#gap, session);
    }
    if (this.#host.eager) this.#changed.add(session);
    else if (session.closed) this.#give(session);
    this.moved(of.scope);
  }

  #close(session: Session): void {
    session.closed = true;
    this.#open--;
    this.#unsaved.add(session.of);
    this.#host.closed();
    if (session.told !== TOLD_FINAL) this.#give(session);
  }

  #give(session: Session, final: boolean = session.closed): void {
    const { of, start, last, parts } = session;
    const { scope, key, sessions, revisions } = of;
    this.#changed.delete(session);
    const value = resultOf(parts, this.#host.how);
    const starts = new Set(sessions.map((each) => each.start));
    const replaces = session.given.filter((each) => !starts.has(each));
    if (!session.given.includes(start)) session.given.push(start);
    for (const other of sessions) {
      if (other !== session) other.given = other.given.filter((each) => each !== start);
    }
    const revision = (revisions.get(start) ?? 0) + 1;
    revisions.set(start, revision);
    session.told = final ? TOLD_FINAL : TOLD_OPEN;
    this.#unsaved.add(of);
    const end = last + this.#gap;
    this.#host.give({ scope, key, start, end, place: start, value, revision, final, replaces });
  }

  #forget(session: Session): void {
    const { of } = session;
    if (this.#changed.has(session)) this.#give(session);
    session.live = false;
    of.sessions = of.sessions.filter((each) => each !== session);
    this.#unsaved.add(of);
    // No message can begin a session there any more.
    const least = this.#host.closing(of.scope) - this.#host.accept;
    for (const start of of.revisions.keys()) {
      if (start < least && !of.sessions.some(({ given }) => given.includes(start))) {
        of.revisions.delete(start);
      }
    }
    if (of.sessions.length === 0) this.#scope(of.scope).keys.delete(of.mapKey);
  }
}
