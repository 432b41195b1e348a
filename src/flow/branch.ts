import { onBehalf } from "./attribution.ts";
import type { Waiter } from "./breath.ts";
import type { Hub } from "./hub.ts";
import type { Lane, Slot } from "./lane.ts";
import { type Emit, type Turn, UNBUFFERED } from "./turn.ts";

/** One flow at one source. */
export class Branch<T> implements Waiter {
  /** Where the flow takes its messages, while a turn of it runs. */
  emit: Emit<T> = () => {};
  /** Ends the turn that the flow is in, or waits for. */
  turnOver: (() => void) | undefined;
  /** True when the flow takes no more messages of this source. */
  ended = false;
  /** True while its message is waited for. */
  waiting = false;
  /** See {@linkcode Waiter}. */
  since: number | undefined = undefined;
  /** See {@linkcode Waiter}. */
  unstamped = false;

  constructor(readonly hub: Hub<T>, readonly lane: Lane, readonly slot: Slot) {}

  /** The turns of this flow, as a stream. */
  readable(): ReadableStream<Turn<T>> {
    const arrive = (emit: Emit<T>) => this.hub.arrive(this, emit);
    const { front } = this.lane;
    const run = front === undefined ? arrive : onBehalf(front, arrive);
    return new ReadableStream<Turn<T>>({
      pull: (controller) => {
        if (this.ended || this.hub.ended) controller.close();
        else controller.enqueue({ run });
      },
    }, UNBUFFERED);
  }
}
