import type { Receipt } from "../source/receipt.ts";
import type { Maybe } from "../stage/stage.ts";
import { InFlight } from "./in_flight.ts";

/** Gives a result to the stages behind a window. */
export type GiveResult = (given: Given) => Maybe;

/** A result of a window, from when it is given to its flow until it is done. */
export class Given extends InFlight {
  constructor(
    result: unknown,
    receipt: Receipt | undefined,
    /** What gives it. */
    readonly item: unknown,
    /** Called when it is done, before its receipt is released. */
    readonly left: () => void,
  ) {
    super(result, receipt, undefined, 0, 0, 0, false);
  }
}

/** Handles the messages of a flow, and the results of its window. */
interface ResultScheduler {
  /** True when it would begin with another one at once. */
  readonly wants: boolean;
  /** Handles a result. */
  give(given: Given, key: string, results: GivenResults): void;
}

/** What a {@linkcode GivenResults} needs of its flow. */
export interface GivenResultsOptions {
  readonly scheduler: () => ResultScheduler;
  /** How many may be given and not done. */
  readonly ahead: number;
  /** Aborts when the run begins to stop: no result begins any more. */
  readonly stopping: AbortSignal;
  /** True where all of them are handled one after the other. */
  readonly single: boolean;
}

/**
 * The results of a window that a concurrent flow handles: in the order of their keys, each as a tick of its own, in the
 * slots of the flow.
 */
export class GivenResults {
  /** How many are given and not done. */
  open = 0;
  /** Called when one is done; set by the window. */
  changed: () => void = () => {};
  /** Called when a slot is free; set by the window. */
  freed: () => void = () => {};
  readonly #options: GivenResultsOptions;

  constructor(options: GivenResultsOptions) {
    this.#options = options;
  }

  /** True while another one would be handled at once, or waits for its key. */
  get wants(): boolean {
    const { scheduler, ahead } = this.#options;
    return this.open < ahead && scheduler().wants;
  }

  /** Handles a result after the earlier ones of its key. */
  give(given: Given, key: string): void {
    this.open++;
    given.receipt?.retain();
    // Not the keys of messages: the results of a key wait for each other only.
    this.#options.scheduler().give(
      given,
      this.#options.single ? "\0result" : `\0result ${key}`,
      this,
    );
  }

  /** Returns whether one may begin. */
  isCurrent(_given: InFlight): boolean {
    return !this.#options.stopping.aborted;
  }

  /** One begins. */
  begin(given: InFlight): void {
    given.begun = true;
  }

  /** One is done; `lost` when the flow has failed on it, or it does not begin. */
  settle(inFlight: InFlight, lost = false): void {
    const { receipt, left, begun } = inFlight as Given;
    this.open--;
    if (!lost) {
      left();
      receipt?.release();
    } else if (!begun) receipt?.root?.abandon?.();
    this.changed();
  }
}
