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
): TransformStream<Turn<unknown>, Turn<unknown>> {
  return stage((emit) => handling(handler, lane, recovery, emit));
}

function handling(
  handler: Handler<unknown, unknown>,
  lane: Lane,
  recovery: Recovery,
  emit: Emit<unknown>,
): Emit<unknown> {
  const { context } = lane;
  const invoke = lane.attributed ? onBehalf(lane, handler) : handler;
  const call = (message: unknown): Maybe => {
    lane.input = message;
    if (lane.attributed) context.correction = correctionOf(lane.root);
    try {
      return spread(invoke(message, context), emit, lane);
    } catch (error) {
      throw lane.handlerError(error);
    }
  };
  if (recovery.stops) return call;
  return (message) => recovery.guard(() => call(message), (error) => lane.handlerError(error));
}
