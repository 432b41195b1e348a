import { Deque } from "@std/data-structures/deque";
import type { InFlight } from "./in_flight.ts";
import type { Consumer, LookAhead } from "./look_ahead.ts";

/** The sequential flows of a source beside concurrent ones: together they are a consumer of one message at a time. */
export class LockStep implements Consumer {
  readonly #deliver: (inFlight: InFlight) => Promise<boolean> | boolean;
  readonly #waiting = new Deque<[InFlight, LookAhead]>();
  #handling: InFlight | undefined;

  /** `deliver` gives a message to all flows, and returns whether all are done with it. */
  constructor(deliver: (inFlight: InFlight) => Promise<boolean> | boolean) {
    this.#deliver = deliver;
  }

  /** See {@linkcode Consumer.wants}. */
  get wants(): boolean {
    return this.#handling === undefined && this.#waiting.length === 0;
  }

  /** See {@linkcode Consumer.take}. */
  take(inFlight: InFlight, lookAhead: LookAhead): void {
    this.#waiting.pushBack([inFlight, lookAhead]);
    this.#go();
  }

  /** See {@linkcode Consumer.drop}. */
  drop(_lookAhead: LookAhead): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const [inFlight, lookAhead] of waiting) {
      if (inFlight.begun) this.#waiting.pushBack([inFlight, lookAhead]);
      else lookAhead.settle(inFlight, true);
    }
  }

  /** See {@linkcode Consumer.handles}. */
  handles(inFlight: InFlight): boolean {
    return this.#handling === inFlight;
  }

  #go(): void {
    while (this.#handling === undefined) {
      const next = this.#waiting.popFront();
      if (next === undefined) return;
      const [inFlight, lookAhead] = next;
      if (!inFlight.begun && !lookAhead.isCurrent(inFlight)) {
        lookAhead.settle(inFlight, true);
        continue;
      }
      lookAhead.begin(inFlight);
      this.#handling = inFlight;
      const done = this.#deliver(inFlight);
      if (typeof done === "boolean") {
        this.#handling = undefined;
        lookAhead.settle(inFlight, !done);
      } else {
        done.then((done) => {
          this.#handling = undefined;
          lookAhead.settle(inFlight, !done);
          this.#go();
          lookAhead.changed();
        });
      }
    }
  }
}
