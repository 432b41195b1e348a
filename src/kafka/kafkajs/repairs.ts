/**
 * Repairs of kafkajs 2.2.4, which nobody maintains; those of `group_repairs.ts` and `silent_brokers.ts` come with them:
 *
 * - An idle connection keeps a timer of 1 ms running, and makes Node's timers warn of a negative delay, since
 *   it looks for pending requests where none wait.
 * - It measures with the time of day: set back by an hour, it sends no heartbeat for an hour, and no request
 *   to a broker that had throttled it; set on, all requests in flight have timed out.
 * - Its look at requests that take too long keeps a process running that waits for none.
 * - What is sent while a connection ends, or was sent before that on one which is opened anew, waits for ever.
 */
import "./group_repairs.ts";
import "./silent_brokers.ts";
import BrokerPool from "kafkajs/src/cluster/brokerPool.js";
import ConsumerGroup from "kafkajs/src/consumer/consumerGroup.js";
import errors from "kafkajs/src/errors.js";
import RequestQueue from "kafkajs/src/network/requestQueue/index.js";
import SocketRequest from "kafkajs/src/network/requestQueue/socketRequest.js";
import { systemClock } from "../../clock.ts";

interface Queue {
  readonly broker: string;
  readonly inflight: ReadonlyMap<number, unknown>;
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
  readonly requestTimeoutIntervalId?: { unref?(): void };
  scheduleCheckPendingRequests(): void;
  scheduleRequestTimeoutCheck(): void;
  destroy(): void;
  rejectAll(error: Error): void;
}

const queue: Queue = RequestQueue.prototype;
const schedule = queue.scheduleCheckPendingRequests;
const scheduleTimeouts = queue.scheduleRequestTimeoutCheck;
const destroy = queue.destroy;

queue.scheduleCheckPendingRequests = function (this: Queue): void {
  if (this.pending.length === 0 && this.throttledUntil <= systemClock.now()) return;
  schedule.call(this);
};

queue.scheduleRequestTimeoutCheck = function (this: Queue): void {
  scheduleTimeouts.call(this);
  this.requestTimeoutIntervalId?.unref?.();
};

/** From now on nobody looks at the time of what waits. */
queue.destroy = function (this: Queue): void {
  destroy.call(this);
  if (this.pending.length === 0 && this.inflight.size === 0) return;
  const colon = this.broker.lastIndexOf(":");
  const [host, port] = [this.broker.slice(0, colon), Number(this.broker.slice(colon + 1))];
  this.rejectAll(new errors.KafkaJSConnectionClosedError("Closed connection", { host, port }));
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
