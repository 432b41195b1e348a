import type { Ticking } from "../flow/stage/ticking.ts";
import type { WindowSettings } from "./options.ts";
import type { Partitions } from "./partitions.ts";
import type { PartitionClock, Watermarks } from "./watermarks.ts";
import { ALL } from "./window_key.ts";
import type { Windows } from "./windows.ts";

/** The silence is looked at so often at least, and at most, in milliseconds, where its source does not tell of it. */
const LEAST_LOOK_MS = 10;
const MOST_LOOK_MS = 1_000;

/** What the silence of partitions moves. */
export interface IdleWindows {
  /** The name of the flow. */
  readonly flow: string;
  readonly settings: Pick<WindowSettings, "advances" | "scope">;
  readonly ticking: Ticking;
  readonly partitions: Partitions;
  readonly watermarks: Watermarks;
  readonly windows: Windows;
  /** Called at each look. */
  readonly look: () => void;
}

/** Moves watermarks on by the silence of partitions, where a window closes by it. */
export class IdleAdvance {
  readonly #of: IdleWindows;
  #cancelLook: (() => void) | undefined;
  #ended = false;

  constructor(of: IdleWindows) {
    this.#of = of;
  }

  /** Applies the silence so far. A source that has ended no longer holds up the others. */
  apply(): void {
    const { flow, settings: { advances }, ticking, partitions, watermarks, windows } = this.#of;
    if (this.#ended || windows.due || (!advances && !partitions.someEnded)) return;
    for (const clock of watermarks.clocks.values()) {
      const { partition, watermark, greatest } = clock;
      if (!advances && !partitions.hasEnded(partition)) continue;
      const scope = this.#scopeOf(clock);
      const silence = advances ? partitions.silence(partition) : clock.silence;
      const after = watermarks.after(clock, silence);
      if (after <= watermark || after < windows.next(scope)) continue;
      if (partitions.isBehind(partition)) continue; // what is in flight was read before the silence
      if (greatest === -Infinity && !partitions.isReadToItsEnd(partition)) continue;
      watermarks.applySilence(clock, silence);
      windows.moved(scope);
      const place = partitions.placeOf(partition);
      ticking.status?.({
        type: "idle_advance",
        flow,
        source: place.source.name,
        partition: place.partition,
        watermark: clock.watermark,
      });
    }
  }

  /** Looks again when the next window could close by the silence. */
  watch(): void {
    if (this.#cancelLook !== undefined) return;
    const { settings: { advances }, ticking, partitions, watermarks, windows, look } = this.#of;
    if (!advances || this.#ended || ticking.stopping.aborted) return;
    if (ticking.sources.every(({ feed }) => feed.silence !== undefined)) return;
    let wait = Infinity;
    for (const clock of watermarks.clocks.values()) {
      const { partition } = clock;
      if (partitions.isBehind(partition)) continue; // looked at when that has come
      const after = watermarks.after(clock, partitions.silence(partition));
      wait = Math.min(wait, windows.next(this.#scopeOf(clock)) - after);
    }
    if (wait === Infinity) return;
    const bounded = Math.max(LEAST_LOOK_MS, Math.min(wait, MOST_LOOK_MS));
    this.#cancelLook = ticking.clock.timer(() => {
      this.#cancelLook = undefined;
      look();
      this.watch();
    }, bounded);
  }

  /** Looks at nothing any more; with `sourceEnded`, nothing is applied either. */
  end(sourceEnded: boolean): void {
    this.#ended = sourceEnded;
    this.#cancelLook?.();
  }

  #scopeOf({ partition }: PartitionClock): number {
    return this.#of.settings.scope === "partition" ? partition : ALL;
  }
}
