import { onBehalf } from "../run/attribution.ts";
import type { Waiter } from "../run/event_loop.ts";
import type { Hub } from "./hub.ts";
import type { Delivery, FlowRun } from "../run/flow_run.ts";
import { type Emit, type Maybe, type Turn, UNBUFFERED } from "../stage/turn.ts";

/** One flow at one source. */
export class Branch<T> implements Waiter {
  /** Where the flow takes its messages, while a turn of it runs. */
  emit: Emit<T> = () => {};
  /** Ends the turn that the flow is in, or waits for. */
  turnOver: (() => void) | undefined;
  /** True when the flow takes no more messages of this source. */
  ended = false;
  /** See {@linkcode Waiter}. */
  turns = 0;
  /** See {@linkcode Waiter}. */
  seen = { turns: 0, at: 0 };

  constructor(readonly hub: Hub<T>, readonly flowRun: FlowRun, readonly delivery: Delivery) {
    hub.host.eventLoop.watch(this);
  }

  /** True while its message is waited for. */
  get waiting(): boolean {
    return (this.turns & 1) === 1;
  }

  /** Since when its message is waited for; undefined until the macrotask after that. */
  get since(): number | undefined {
    return this.seen.turns === this.turns ? this.seen.at : undefined;
  }

  /** Gives the flow its message, or has its policy say what becomes of one that could not be read. */
  take(message: T, failure: Error | undefined): Maybe {
    return failure === undefined ? this.emit(message) : this.flowRun.refuse(failure, this.delivery);
  }

  /** Its message is not waited for any more. */
  over(): void {
    this.turns = (this.turns + 1) | 0;
    this.flowRun.writing = "";
  }

  /** The turns of this flow, as a stream. */
  readable(): ReadableStream<Turn<T>> {
    const arrive = (emit: Emit<T>) => this.hub.arrive(this, emit);
    const { front } = this.flowRun;
    const entered = front && onBehalf(front, arrive);
    // Behind a Proxy many messages belong to nobody: entering is for those that are acknowledged.
    const run = (emit: Emit<T>) =>
      (entered === undefined || front!.receipt === undefined ? arrive : entered)(emit);
    return new ReadableStream<Turn<T>>({
      pull: (controller) => {
        if (this.ended || this.hub.ended) controller.close();
        else controller.enqueue({ run });
      },
    }, UNBUFFERED);
  }
}
