import type { Handler } from "../types.ts";
import { CallLimit } from "./call_limit.ts";
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
  const { clock } = recovery.host;
  const limit = timeoutMs === Infinity ? undefined : new CallLimit(lane, clock, timeoutMs);
  const call = (message: unknown): Maybe => {
    lane.input = message;
    if (lane.witnessed) context.correction = correctionOf(lane.root);
    try {
      return limit === undefined
        ? spread(handler(message, context), emit, lane)
        : limit.run(() => handler(message, context), (result) => spread(result, emit, lane));
    } catch (error) {
      throw lane.handlerError(error);
    }
  };
  if (recovery.stops) return call;
  return (message) => recovery.guard(() => call(message), (error) => lane.handlerError(error));
}
