import { runDetached } from "../run/current.ts";
import type { Maybe } from "../stage/stage.ts";
import type { InFlight } from "./in_flight.ts";
import type { LookAhead } from "./look_ahead.ts";

/** A message as the pipes before a window have passed it on. */
export interface Passed {
  readonly message: unknown;
  /** Calls a step on behalf of the message that it was made from. */
  readonly runAs: <R>(step: () => R) => R;
}

/** The place of a message in the order of its partition, until it is admitted or dropped. */
export class Place {
  /** What the pipes have made of it; undefined while they have it. */
  passed: readonly Passed[] | undefined;
  /** True while it waits for one before it. */
  held = false;
  /** Nothing of it is to be admitted any more. */
  over = false;

  constructor(readonly inFlight: InFlight, readonly lookAhead: LookAhead) {}
}

/** The messages of one partition that have begun or may begin, in the order of the source. */
class Line {
  readonly #places: Place[] = [];
  #head = 0;
  /** Those before it have begun, or are over. */
  #begun = 0;

  get first(): Place | undefined {
    return this.#places[this.#head];
  }

  add(place: Place): void {
    this.#places.push(place);
  }

  shift(): void {
    this.#head++;
    this.#begun = Math.max(this.#begun, this.#head);
    if (this.#head < 1_024 && this.#head < this.#places.length) return;
    this.#places.splice(0, this.#head);
    this.#begun -= this.#head;
    this.#head = 0;
  }

  /** Yields those up to a message of which nothing was said before. */
  *upTo(number: number): Generator<Place> {
    while (this.#begun < this.#places.length) {
      const place = this.#places[this.#begun]!;
      if (place.inFlight.number > number) return;
      this.#begun++;
      yield place;
    }
  }
}

/** What an {@linkcode Admission} needs of its flow. */
export interface AdmissionOptions {
  /** Returns whether the flow has failed: nothing is admitted any more. */
  readonly isDead: () => boolean;
  /** The flow has failed on a message. */
  readonly failed: (error: unknown) => void;
}

/**
 * Gives a window the messages of a concurrent flow in the order of their partitions, whichever has passed the pipes
 * before it first.
 *
 * - A message waits for those before it without a slot, and counts for `ahead`. It no longer
 *   waits for one that was filtered out, given up or never begun.
 * - What is before a message that has begun is begun too, whatever happens to the source: else a window would have it
 *   without what comes before it.
 * - They are admitted one at a time. Once one is, no cut is taken without it.
 */
export class Admission {
  /** The turn of a message has come, also of one that was filtered out; set by a window that counts them. */
  begin: ((inFlight: InFlight) => void) | undefined;
  /** Takes in what was made of a message; set by the window. */
  admit: (passed: Passed, inFlight: InFlight) => Maybe = () => {};
  /** Called when some were admitted, or nothing more of a partition is waited for; set by the window. */
  changed: () => void = () => {};
  readonly #options: AdmissionOptions;
  readonly #lines = new Map<number, Line>();
  /** The partitions whose first message may be admitted. */
  readonly #due = new Set<Line>();
  #runs = false;
  /** An admission waits: an error policy repeats it. */
  #waits = false;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** A message is taken: those that are taken later come after it. */
  take(inFlight: InFlight, lookAhead: LookAhead): Place {
    const place = new Place(inFlight, lookAhead);
    this.#lines.getOrInsertComputed(inFlight.partition, () => new Line()).add(place);
    return place;
  }

  /** Returns whether a message of a partition was taken, and is not admitted. */
  isBehind(partition: number): boolean {
    return this.#lines.get(partition)?.first !== undefined;
  }

  /** A consumer of the source has begun with a message. */
  begun({ partition, number }: InFlight): void {
    for (const { inFlight, lookAhead, over } of this.#lines.get(partition)?.upTo(number) ?? []) {
      if (!over && !inFlight.begun && lookAhead.isCurrent(inFlight)) lookAhead.begin(inFlight);
    }
  }

  /** The pipes are done with a message, and have made this of it. */
  passed(place: Place, passed: readonly Passed[]): void {
    place.passed = passed;
    this.#goOn(place);
    if (place.over) return;
    place.held = true;
    place.lookAhead.hold(place.inFlight);
  }

  /** The flow has failed on a message, or does not handle it. */
  lost(place: Place): void {
    this.#end(place, true);
    this.#goOn(place);
  }

  #goOn({ inFlight }: Place): void {
    this.#due.add(this.#lines.get(inFlight.partition)!);
    this.#run();
  }

  /** Admits whatever may be; what becomes ready meanwhile follows. */
  #run(): void {
    if (this.#runs || this.#waits) return;
    this.#runs = true;
    for (const line of this.#due) { // grows while it is walked
      if (this.#admitAll(line)) this.#due.delete(line);
      else break;
    }
    this.#runs = false;
    this.changed();
  }

  /** Admits the first messages of a partition; false when one of them waits. */
  #admitAll(line: Line): boolean {
    for (let place = line.first; place !== undefined; place = line.first) {
      if (!place.over) {
        if (place.passed === undefined) break;
        if (this.#options.isDead()) this.#end(place, true);
        else if (!this.#admit(place)) return false;
      }
      line.shift();
    }
    return true;
  }

  /** Admits a message; false when that waits. */
  #admit(place: Place, from = 0): boolean {
    const { inFlight } = place;
    const passed = place.passed!;
    try {
      if (from === 0) this.begin?.(inFlight);
      for (let index = from; index < passed.length; index++) {
        const each = passed[index]!;
        const done = each.runAs(() => this.admit(each, inFlight));
        if (done === undefined) continue;
        this.#waits = true;
        done.then(
          () => this.#waited(place, index + 1),
          (error) => this.#waited(place, index, { error }),
        );
        return false;
      }
    } catch (error) {
      this.#fail(place, error);
    }
    this.#end(place);
    return true;
  }

  /** The wait for a message is over. */
  #waited(place: Place, next: number, failure?: { readonly error: unknown }): void {
    this.#waits = false;
    runDetached(() => {
      if (failure !== undefined) this.#fail(place, failure.error);
      else if (this.#options.isDead()) this.#end(place, true);
      else this.#admit(place, next);
      this.#run();
    });
  }

  #fail(place: Place, error: unknown): void {
    this.#end(place, true);
    this.#options.failed(error);
  }

  #end(place: Place, lost = false): void {
    if (place.over) return;
    const { inFlight, lookAhead, held } = place;
    place.over = true;
    place.passed = undefined;
    if (held) lookAhead.letGo(inFlight);
    lookAhead.settle(inFlight, lost);
  }
}
