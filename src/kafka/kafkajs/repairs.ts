/**
 * Repairs of kafkajs 2.2.4, which nobody maintains; those of `group_repairs.ts` and `silent_brokers.ts` come with them:
 *
 * - An idle connection keeps a timer of 1 ms running, and makes Node's timers warn of a negative delay, since
 *   it looks for pending requests where none wait.
 * - It measures with the time of day: set back by an hour, it sends no heartbeat for an hour, and no request
 *   to a broker that had throttled it; set on, all requests in flight have timed out.
 * - Its look at requests that take too long keeps a process running that waits for none.
 */
import "./group_repairs.ts";
import "./silent_brokers.ts";
import BrokerPool from "kafkajs/src/cluster/brokerPool.js";
import ConsumerGroup from "kafkajs/src/consumer/consumerGroup.js";
import RequestQueue from "kafkajs/src/network/requestQueue/index.js";
import SocketRequest from "kafkajs/src/network/requestQueue/socketRequest.js";
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

moveWithTheClock(ConsumerGroup.prototype, "lastRequest");
moveWithTheClock(RequestQueue.prototype, "throttledUntil");
moveWithTheClock(SocketRequest.prototype, "sentAt");
moveWithTheClock(BrokerPool.prototype, "metadataExpireAt");

/**
 * Has what passes since a moment, or until it, stay the same when the clock is set: the moment moves with it. It reads
 * as whole milliseconds, so never as later than it was set.
 */
function moveWithTheClock(prototype: object, property: string): void {
  const { now, monotonic } = systemClock;
  const moments = new WeakMap<object, number | null>();
  Object.defineProperty(prototype, property, {
    get(this: object) {
      const moment = moments.get(this) ?? null;
      return moment === null ? null : Math.floor(moment - monotonic() + now());
    },
    set(this: object, moment: number | null) {
      moments.set(this, moment === null ? null : moment - now() + monotonic());
    },
  });
}
