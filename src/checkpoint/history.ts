import type { CorrectionSnapshot, OutageSnapshot } from "../snapshot.ts";
import type { CheckpointEvent } from "./checkpoint_options.ts";

/** How many outages and corrections are kept. */
const MOST_KEPT = 32;

type Changing<T> = { -readonly [K in keyof T]: T[K] };

/** What the history of a checkpoint is told beside its events; times are of event time, -Infinity before any. */
export interface HistoryMoment {
  /** The time of day. */
  readonly now: number;
  /** The latest time of all pulses. */
  readonly pulse: number;
  /** The last heartbeat of a dependency. */
  marker(dependency: string): number;
}

/** The last outages and corrections of a checkpoint, for whoever looks: it is told of events only, which are rare. */
export class CheckpointHistory {
  /** How many outages there were. */
  outages = 0;
  /** How many corrections there were. */
  corrections = 0;
  readonly #outages: Changing<OutageSnapshot>[] = [];
  readonly #corrections: Changing<CorrectionSnapshot>[] = [];
  /** The least time of a message that made results stale, since the last correction. */
  #staleFrom = Infinity;

  /** The last outages, the oldest first. */
  get lastOutages(): readonly OutageSnapshot[] {
    return this.#outages.map((outage) => ({ ...outage }));
  }

  /** The last corrections, the oldest first. */
  get lastCorrections(): readonly CorrectionSnapshot[] {
    return this.#corrections.map((correction) => ({ ...correction }));
  }

  /** Since when a dependency is down, by the time of day; undefined when it is not, as far as is known. */
  downSince(dependency: string): number | undefined {
    return this.#open(dependency)?.downAt;
  }

  /** Results for `time` or later are stale. */
  stale(time: number): void {
    this.#staleFrom = Math.min(this.#staleFrom, time);
  }

  /** Notes an event. */
  note(event: CheckpointEvent, { now, pulse, marker }: HistoryMoment): void {
    if (event.type === "down") this.begin(event.dependency, now, marker(event.dependency), pulse);
    else if (event.type === "recovered") {
      const outage = this.#open(event.dependency);
      if (outage !== undefined) Object.assign(outage, { upAt: now, until: finite(pulse) });
    } else if (event.type === "correcting") {
      this.corrections++;
      keep(this.#corrections, {
        at: now,
        doneAt: undefined,
        from: finite(this.#staleFrom),
        until: finite(pulse),
        positions: event.from,
        dependencies: event.dependencies,
      });
      this.#staleFrom = Infinity;
    }
  }

  /** A dependency is down: declared now, or known from a run before. */
  begin(dependency: string, now: number, marker: number, pulse: number): void {
    if (this.#open(dependency) !== undefined) return;
    this.outages++;
    const [from, until] = [finite(marker), finite(pulse)];
    keep(this.#outages, { dependency, downAt: now, upAt: undefined, from, until });
  }

  /** Everything that was stale has been handled again. */
  corrected(now: number): void {
    for (const correction of this.#corrections) correction.doneAt ??= now;
  }

  #open(dependency: string): Changing<OutageSnapshot> | undefined {
    return this.#outages.findLast((each) =>
      each.dependency === dependency && each.upAt === undefined
    );
  }
}

function keep<T>(list: T[], entry: T): void {
  if (list.push(entry) > MOST_KEPT) list.shift();
}

/** Returns a time; undefined for the infinities, which stand for "none yet" and "all". */
export function finite(time: number): number | undefined {
  return Number.isFinite(time) ? time : undefined;
}
