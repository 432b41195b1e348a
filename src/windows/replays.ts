import { correctionOf } from "../flow/stage/correction.ts";
import type { StateRows } from "../flow/state/state.ts";
import type { PositionRow, Positions } from "./positions.ts";
import type { PartitionClock } from "./watermarks.ts";
import type { CorrectableWindows, Entry } from "./windows.ts";

/** What replays need of the stage. */
export interface ReplaysHost {
  readonly windows: CorrectableWindows;
  /** The clock of a partition. */
  clock(partition: number): PartitionClock;
  /** The position of the first message of a partition that may be handled again. */
  provisional(partition: number): number | undefined;
  /** Counts the moves of the source. */
  epoch(): number;
}

/** A message while it is handled. */
interface Current {
  readonly row: PositionRow;
  /** True when it was handled before. */
  readonly again: boolean;
  /** The epoch in which it began. */
  readonly epoch: number;
  /** What reached the window of it now. */
  entry: Entry | undefined;
}

/**
 * Messages that are handled again since a checkpoint corrects them. Each is judged by the watermark that was there
 * before it the first time; what was added for it then goes out, and what it is now comes in, once it is done.
 */
export class Replays {
  readonly #host: ReplaysHost;
  readonly #positions: Positions;
  #current: Current | undefined;
  /** True while a message is handled that has no part in windows: it is final, and came again with others. */
  #passes = false;

  constructor(host: ReplaysHost, positions: Positions) {
    this.#host = host;
    this.#positions = positions;
  }

  /** A message is about to be handled; the one before it is done. */
  begin(message: unknown): void {
    this.settle();
    const { partition, offset } = message as { partition?: unknown; offset?: unknown };
    if (typeof partition !== "number" || typeof offset !== "number") {
      throw new TypeError(
        "Cannot correct windows of messages without a partition and an offset: read a Topic, or set " +
          'replays: "skip"',
      );
    }
    const known = this.#positions.find(partition, offset);
    this.#passes = known === undefined && correctionOf(message) !== undefined;
    if (this.#passes) return;
    const row = known ??
      this.#positions.add(partition, offset, this.#host.clock(partition).watermark);
    const epoch = this.#host.epoch();
    this.#current = { row, again: known !== undefined, epoch, entry: undefined };
  }

  /** The watermark by which the message in flight is judged again; undefined when it is handled for the first time. */
  get watermark(): number | undefined {
    return this.#current?.again ? this.#current.row.watermark : undefined;
  }

  /** True while the message in flight has no part in windows. */
  get passes(): boolean {
    return this.#passes;
  }

  /** The message in flight has reached the window; `counted` where it was added to one. */
  reached(entry: Entry, counted: boolean): void {
    const { row, again } = this.#current!;
    if (again) this.#current!.entry = entry;
    else if (counted) {
      row.share = this.#host.windows.shareOf(entry);
      this.#positions.changed(row);
    }
  }

  /** The message in flight is done: what it is now takes the place of what it was. */
  settle(): void {
    this.#passes = false;
    if (this.#current === undefined) return;
    const { row, again, epoch, entry } = this.#current;
    this.#current = undefined;
    const { windows, provisional } = this.#host;
    const { partition, offset } = row;
    if (again) {
      row.share = windows.replace(partition, row.share, entry);
      this.#positions.changed(row);
    }
    // Once the source has been moved, nothing is provisional, and yet to be handled again.
    if (epoch !== this.#host.epoch()) return;
    const before = Math.min(provisional(partition) ?? Infinity, offset + 1);
    if (this.#positions.forget(partition, before)) windows.released(partition);
  }

  /** Writes what has changed. */
  save(rows: StateRows): void {
    this.settle();
    this.#positions.save(rows);
  }
}
