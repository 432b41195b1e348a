import type { Handler } from "../../types.ts";
import { CallLimit } from "./call_limit.ts";
import { correctionOf } from "./correction.ts";
import type { FlowRun } from "../run/flow_run.ts";
import type { Recovery } from "./recovery.ts";
import { Results } from "./results.ts";
import { type Emit, type FlowStage, type Maybe, stage } from "./stage.ts";

/** The stage that calls the handler for every message and passes on what it returns. */
export function handlerStage(
  handler: Handler<unknown, unknown>,
  flowRun: FlowRun,
  recovery: Recovery,
  timeoutMs: number,
): FlowStage<unknown, unknown> {
  return stage((emit) => handling(handler, flowRun, recovery, timeoutMs, emit));
}

function handling(
  handler: Handler<unknown, unknown>,
  flowRun: FlowRun,
  recovery: Recovery,
  timeoutMs: number,
  emit: Emit<unknown>,
): Emit<unknown> {
  const { context } = flowRun;
  const { clock } = recovery.host;
  const results = new Results(emit, flowRun);
  const limit = timeoutMs === Infinity
    ? undefined
    : new CallLimit(flowRun, clock, timeoutMs, handler, results);
  const invoke = limit === undefined
    ? (message: unknown) => results.pass(handler(message, context))
    : (message: unknown) => limit.run(message);
  const call = (message: unknown): Maybe => {
    flowRun.input = message;
    if (flowRun.witnessed) context.correction = correctionOf(flowRun.root);
    try {
      return invoke(message);
    } catch (error) {
      throw flowRun.handlerError(error);
    }
  };
  if (recovery.stops) return call;
  return (message) => recovery.guard(() => call(message), (error) => flowRun.handlerError(error));
}
