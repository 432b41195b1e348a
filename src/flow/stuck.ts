import { positionOf, type Stuck } from "../errors.ts";
import type { Lane } from "./lane.ts";
import type { PendingCall } from "./pending.ts";
import type { Branch } from "./branch.ts";

/** A flow, as far as it may be stuck. */
interface Flow {
  readonly lane: Lane;
  readonly ended: boolean;
  readonly branches: readonly Branch<unknown>[];
}

/**
 * Returns what the flows of a run wait for, and the sends and writes that nobody waits for.
 *
 * @param stopped When the run began to stop: what has no other beginning has waited since then.
 */
export function stuckFlows(
  flows: readonly Flow[],
  calls: ReadonlyMap<PendingCall, number>,
  now: number,
  stopped: number,
): Stuck[] {
  const stuck: Stuck[] = [];
  for (const { lane, ended, branches } of flows) {
    if (ended) continue;
    const waiting = branches.filter((branch) => branch.waiting);
    for (const { hub, slot, since = now } of waiting) {
      stuck.push({
        ...work(lane),
        flow: lane.flow,
        source: hub.name,
        ...positionOf(slot.receipt?.origin ?? slot.root),
        sinceMs: Math.round(now - since),
      });
    }
    if (waiting.length > 0) continue;
    stuck.push({
      what: "stages have not ended",
      flow: lane.flow,
      source: lane.source,
      sinceMs: Math.round(now - stopped),
    });
  }
  for (const [{ flow, root, what }, since] of calls) {
    stuck.push({
      what: `waits for ${what}`,
      flow,
      ...positionOf(root),
      sinceMs: Math.round(now - since),
    });
  }
  return stuck;
}

function work(lane: Lane): Pick<Stuck, "what" | "sink"> {
  if (lane.writing === "") return { what: "handles a message" };
  return { what: "writes to", sink: lane.writing };
}
