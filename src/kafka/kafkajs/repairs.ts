/**
 * A repair of kafkajs 2.2.4, which nobody maintains: an idle connection keeps a timer of 1 ms running, and
 * makes Node's timers warn of a negative delay, since it looks for pending requests where none wait.
 */
import RequestQueue from "kafkajs/src/network/requestQueue/index.js";
import { systemClock } from "../../clock.ts";

interface Queue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
  scheduleCheckPendingRequests(): void;
}

const queue: Queue = RequestQueue.prototype;
const schedule = queue.scheduleCheckPendingRequests;

queue.scheduleCheckPendingRequests = function (this: Queue): void {
  if (this.pending.length === 0 && this.throttledUntil <= systemClock.now()) return;
  schedule.call(this);
};
