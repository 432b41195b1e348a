import type { WindowCounts } from "../../snapshot.ts";
import type { StatusEvent } from "../../status.ts";
import type { Maybe } from "../stage/stage.ts";
import type { Receipt } from "./receipt.ts";

/**
 * Work of a flow that belongs to no message of its source: the hub does it between two messages, as a root of its
 * own without a position.
 *
 * - A tick is bounded: the work is done in as many as it takes, and a cut may fall between two of them.
 * - None begins after the source was told to stop, while it is paused, or while its partitions are away.
 */
export interface Ticker {
  /** True while there is something to do now; asked before every message. */
  readonly due: boolean;
  /** True while no message may begin, since too much waits. */
  readonly full: boolean;
  /** True while something that ticks have begun goes on: the hub does not end before that. */
  readonly busy: boolean;
  /** True while something is left to do, now or later, of a source that has ended. */
  readonly pending: boolean;
  /** A message of the source is about to be given to the flow; absent where nobody asks. */
  begin?(message: unknown): void;
  /** Does one part of the work, for which `receipt` stands where a store holds the positions of the flow. */
  tick(receipt: Receipt | undefined): Maybe;
  /** The source has come to its end. */
  ended(): void;
  /** The source may have been silent for a while, or its partitions have changed. */
  looked(): void;
  /** Tells how it stands; called with each report of progress. */
  tell(status: (event: StatusEvent) => void): void;
  /** Tells how its windows are, for whoever looks. */
  look(): WindowCounts;
  /** Asks the hub to look again; set by the hub. */
  wake: () => void;
}
