import type { Handler } from "../types.ts";
import { onBehalf } from "./attribution.ts";
import { correctionOf } from "./correction.ts";
import type { Lane } from "./lane.ts";
import type { Recovery } from "./policy.ts";
import { spread } from "./results.ts";
import { type Emit, type Maybe, stage, type Turn } from "./turn.ts";

/** The stage that calls the handler for every message and passes on what it returns. */
export function handlerStage(
  handler: Handler<unknown, unknown>,
  lane: Lane,
  recovery: Recovery,
  timeoutMs: number,
): TransformStream<Turn<unknown>, Turn<unknown>> {
  return stage((emit) => handling(handler, lane, recovery, timeoutMs, emit));
}

function handling(
  handler: Handler<unknown, unknown>,
  lane: Lane,
  recovery: Recovery,
  timeoutMs: number,
  emit: Emit<unknown>,
): Emit<unknown> {
  const { context } = lane;
  const invoke = lane.attributed ? onBehalf(lane, handler) : handler;
  const call = (message: unknown): Maybe => {
    lane.input = message;
    if (lane.attributed) context.correction = correctionOf(lane.root);
    try {
      const done = spread(invoke(message, context), emit, lane);
      return done === undefined || timeoutMs === Infinity ? done : inTime(done);
    } catch (error) {
      throw lane.handlerError(error);
    }
  };
  // Nothing can end a call of the user's: one that took too long has failed once it is over.
  const { clock } = recovery.host;
  const inTime = async (done: Promise<void>) => {
    const begin = clock.monotonic();
    await done;
    const ms = clock.monotonic() - begin;
    if (ms < timeoutMs) return;
    const late = `it took ${Math.round(ms)} ms, handlerTimeoutMs is ${timeoutMs}`;
    throw lane.handlerError(new DOMException(late, "TimeoutError"));
  };
  if (recovery.stops) return call;
  return (message) => recovery.guard(() => call(message), (error) => lane.handlerError(error));
}
