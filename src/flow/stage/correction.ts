import type { Correction } from "../../types.ts";
import type { Delivery } from "../run/delivery.ts";
import { type FlowStage, stage } from "./stage.ts";

const corrections = new WeakMap<object, Correction>();
/** False until something is corrected: then nothing need be looked up. */
let used = false;

/** Says that `message` is handled again to correct an earlier result; undefined takes it back. */
export function setCorrection(message: unknown, correction: Correction | undefined): void {
  used ||= correction !== undefined;
  if (!used || typeof message !== "object" || message === null) return;
  if (correction === undefined) corrections.delete(message);
  else corrections.set(message, correction);
}

/** Returns why `message` is handled again; of a batch, why the first such message in it is. */
export function correctionOf(message: unknown): Correction | undefined {
  if (!used || typeof message !== "object" || message === null) return undefined;
  const correction = corrections.get(message);
  if (correction !== undefined || !Array.isArray(message)) return correction;
  for (const each of message) {
    const found = corrections.get(each);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The stage of a flow that sees no message twice: those that are handled again do not pass. */
export function skipReplays(delivery: Delivery): FlowStage<unknown, unknown> {
  return stage((emit) => (message) => {
    if (correctionOf(delivery.root) === undefined) return emit(message);
  });
}
