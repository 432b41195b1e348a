import type { Gate } from "../flow/gate.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { CheckpointSettings } from "./checkpoint_options.ts";
import type { Dependency } from "./dependency.ts";
import type { Dirt } from "./dirt.ts";
import type { CheckpointEvent } from "./events.ts";
import type { Pause } from "./pause.ts";
import type { Results } from "./results.ts";
import type { Track } from "./track.ts";

/** What {@linkcode Corrections} needs to know of its checkpoint. */
export interface CorrectionsHost {
  /** The checkpoint, for callbacks. */
  readonly checkpoint: Checkpoint;
  readonly gate: Gate;
  readonly track: Track;
  readonly results: Results;
  readonly dirt: Dirt;
  readonly settings: CheckpointSettings;
  /** The pause of the dependent while dependencies are down. */
  readonly pause: Pause;
  /** The time before which everything of all dependencies is stored. */
  readonly frontier: number;
  /** True while a run is under way. */
  readonly running: boolean;
  /** The reason that the dependent is paused for while it is moved. */
  readonly reason: string;
  /** True while a dependency is down: then nothing is made again yet. */
  readonly down: boolean;
  tell(event: CheckpointEvent): void;
  /** A step at rest is over. */
  rested(): void;
  /** Does what no handler waits for, and takes care of its errors. */
  inBackground(step: () => Promise<void>): void;
}

/**
 * Knows when dirty results are to be made again, after an outage or without one, and moves the dependent
 * back to the first of them. One step after the other: the dependent is held, the message under way is
 * finished by all flows, then it moves, and goes on last.
 */
export class Corrections {
  readonly #host: CorrectionsHost;
  /** The first stale positions, while the recovery callback runs. */
  stale: ReadonlyMap<number, number> | undefined;
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(host: CorrectionsHost) {
    this.#host = host;
  }

  /** True while the dependent is being moved, or about to be. */
  get busy(): boolean {
    return this.#waiting > 0;
  }

  /** No dependency is down any more: corrects what is dirty, tells it, and lets the dependent go on. */
  recover(last: Dependency): Promise<void> {
    const host = this.#host;
    const { correct, recoveryCallback } = host.settings;
    return this.#atRest(async () => {
      if (host.down) return;
      this.stale = host.results.dirty;
      try {
        if (correct) await this.#moveBack();
        await recoveryCallback?.(host.checkpoint, last);
      } finally {
        this.stale = undefined;
        if (!correct) {
          host.results.clean();
          host.dirt.clear();
        }
        if (!host.down) host.pause.end();
      }
    });
  }

  /** Corrects dirty results without an outage, when it is time to. */
  consider(): void {
    const host = this.#host;
    if (!host.settings.correct || host.down || this.busy) return;
    if (!host.running || !host.dirt.isDue(host.frontier)) return;
    host.inBackground(() =>
      this.#atRest(async () => {
        if (!host.down) await this.#moveBack();
      })
    );
  }

  /** Runs `step` while no message of the dependent is under way, nor begins. */
  #atRest(step: () => Promise<void>): Promise<void> {
    const { gate, track, reason } = this.#host;
    this.#waiting++;
    gate.pause(reason);
    const done = this.#last.then(async () => {
      try {
        await track.idle();
        await step();
      } finally {
        if (--this.#waiting === 0) gate.resume(reason);
      }
    }).finally(() => this.#host.rested());
    this.#last = done.catch(() => {}); // whoever asked for the step is told
    return done;
  }

  /** Moves every partition back to its first dirty result. */
  async #moveBack(): Promise<void> {
    const { gate, track, results, dirt, settings, tell } = this.#host;
    const begins = results.dirty.size === 0 ? undefined : await gate.beginnings();
    if (!gate.seekable) return;
    const dirty = results.dirty;
    const assigned = gate.parts && new Set([...gate.parts].map(({ partition }) => partition));
    let coming = false; // partitions that travel are forgotten when they go: others are about to be read
    for (const partition of dirty.keys()) {
      if (assigned !== undefined && assigned.size > 0 && !assigned.has(partition)) {
        dirty.delete(partition);
        coming = settings.partitions !== undefined;
      }
    }
    if (begins !== undefined) this.#giveUpLost(dirty, begins);
    const dependencies = dirt.causes;
    if (!coming) dirt.clear();
    const { from, moved } = track.moveBack(dirty, dependencies);
    if (Object.keys(from).length > 0) {
      tell.call(this.#host, { type: "correcting", from, dependencies });
    }
    await moved;
  }

  /** Replaces dirty positions that have left the log by its beginning, and tells it. */
  #giveUpLost(dirty: Map<number, number>, begins: ReadonlyMap<number, number>): void {
    const host = this.#host;
    const from: Record<number, number> = {};
    const to: Record<number, number> = {};
    for (const [partition, position] of dirty) {
      const begin = begins.get(partition) ?? position;
      if (position >= begin) continue;
      host.results.moved(partition, position); // nobody goes there any more
      dirty.set(partition, to[partition] = begin);
      from[partition] = position;
    }
    if (Object.keys(from).length > 0) host.tell({ type: "lost", from, to });
  }
}
