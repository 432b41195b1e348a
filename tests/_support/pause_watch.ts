import type { Checkpoint, CheckpointEvent, Dependency } from "../../mod.ts";
import { gateOf } from "../../src/flow/source/gate.ts";

/**
 * Watches, from outside, when a dependent may go on: what no result shows. What is wrong is noted, not thrown:
 * the flows would deal with it.
 */
export class PauseWatch {
  /** What was wrong. */
  readonly wrong: string[] = [];
  /** The dependencies that are down, each with the time that it must pass. */
  readonly #down = new Map<string, number>();
  readonly #markers = new Map<string, number>();
  readonly #checkpoint: Checkpoint;
  readonly #alwaysPauses: boolean;
  /** How many messages may begin in a pause, since they were taken before it. */
  readonly #taken: number;
  /** Those of them that have, since something was told. */
  readonly #begun = new Set<string>();
  #largest = -Infinity;
  #recovering = false;

  /**
   * Watches `checkpoint`; `alwaysPauses` says that nothing but recovery ends a pause, `taken` how many messages a
   * concurrent flow may have taken before it.
   */
  constructor(checkpoint: Checkpoint, alwaysPauses: boolean, taken = 0) {
    this.#checkpoint = checkpoint;
    this.#alwaysPauses = alwaysPauses;
    this.#taken = taken;
  }

  /** A process begins where the record has these dependencies down. */
  begin(dependencies: readonly { name: string; down: boolean; target: number }[]): void {
    for (const { name, down, target } of dependencies) if (down) this.#down.set(name, target);
  }

  /** The reasons for which the dependent is paused. */
  get paused(): string[] {
    return gateOf(this.#checkpoint.dependent).reasons;
  }

  /** A message of the dependent begins, for the first time. */
  begins(place: string): void {
    const isDown = this.#alwaysPauses && this.#down.size > 0;
    if (this.paused.length === 0 && !this.#recovering && !isDown) this.#begun.clear();
    else if (this.#begun.add(place).size <= this.#taken) return;
    this.#must(this.paused.length === 0, `${place} begins while the dependent is paused`);
    this.#must(!this.#recovering, `${place} begins before what is wrong is moved back to`);
    if (!this.#alwaysPauses) return;
    this.#must(this.#down.size === 0, `${place} begins while a dependency is down`);
  }

  /** A pulse is about to be given. */
  pulses(time: number): void {
    this.#largest = Math.max(this.#largest, time);
    if (!this.paused.includes(`checkpoint ${this.#checkpoint.name}`)) return; // as a correction has it paused, too
    for (const name of this.#down.keys()) this.#down.set(name, this.#largest);
  }

  /** A heartbeat was given. */
  beat({ name, checkpointMarker }: Dependency): void {
    const marker = (checkpointMarker ?? -Infinity) as number;
    this.#must(
      marker >= (this.#markers.get(name) ?? -Infinity),
      `the marker of ${name} moved back`,
    );
    this.#markers.set(name, marker);
  }

  /** The checkpoint has told something. */
  told(event: CheckpointEvent): void {
    this.#begun.clear();
    if (event.type === "down") {
      this.#down.set(event.dependency, this.#largest);
      this.#recovering = false;
    }
    if (event.type !== "recovered") return;
    const { dependency } = event;
    const frontier = this.#checkpoint.dependency(dependency).frontier as number;
    const target = this.#down.get(dependency) ?? Infinity;
    this.#must(
      frontier > target,
      `${dependency} recovers at ${frontier}, which must pass ${target}`,
    );
    this.#down.delete(dependency);
    this.#recovering = this.#down.size === 0;
  }

  /** The recovery callback is called. */
  recovered(): void {
    this.#recovering = false;
  }

  /** A message of the dependent is handled in mode "wait" although nothing is down. */
  waited(place: string, time: number): void {
    for (const { name, frontier = Infinity } of this.#checkpoint.dependencies.values()) {
      this.#must(time < (frontier as number), `${place} did not wait for ${name}`);
    }
  }

  #must(condition: boolean, otherwise: string): void {
    if (!condition) this.wrong.push(otherwise);
  }
}
