/**
 * Repairs of kafkajs 2.2.4, which nobody maintains. An idle connection keeps a timer of 1 ms running, and
 * makes Node's timers warn of a negative delay, since it looks for pending requests where none wait; and its
 * look at requests that take too long keeps a process running that waits for none.
 */
import RequestQueue from "kafkajs/src/network/requestQueue/index.js";
import { systemClock } from "../../clock.ts";

interface Queue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
  readonly requestTimeoutIntervalId?: { unref?(): void };
  scheduleCheckPendingRequests(): void;
  scheduleRequestTimeoutCheck(): void;
}

const queue: Queue = RequestQueue.prototype;
const schedule = queue.scheduleCheckPendingRequests;
const scheduleTimeouts = queue.scheduleRequestTimeoutCheck;

queue.scheduleCheckPendingRequests = function (this: Queue): void {
  if (this.pending.length === 0 && this.throttledUntil <= systemClock.now()) return;
  schedule.call(this);
};

queue.scheduleRequestTimeoutCheck = function (this: Queue): void {
  scheduleTimeouts.call(this);
  this.requestTimeoutIntervalId?.unref?.();
};
