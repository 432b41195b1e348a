/**
 * Repairs of kafkajs 2.2.4, which nobody maintains.
 *
 * - An idle connection keeps a timer of 1 ms running, and makes Node's timers warn of a negative delay, since
 *   it looks for pending requests where none wait.
 * - A header whose value is null cannot be sent: its size is asked of something that has none.
 */
import { Buffer } from "node:buffer";
import Encoder from "kafkajs/src/protocol/encoder.js";
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

/** The null of a header: empty where it is measured, and null, which is as long, where it is written. */
export const NULL_HEADER: Buffer = Buffer.alloc(0);

interface Writer {
  writeVarIntBytes(value: unknown): Writer;
}

const writer: Writer = Encoder.prototype;
const write = writer.writeVarIntBytes;

writer.writeVarIntBytes = function (this: Writer, value: unknown): Writer {
  return write.call(this, value === NULL_HEADER ? null : value);
};
