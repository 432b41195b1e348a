import { positionOf, type Stuck } from "../../errors.ts";
import type { FlowRun } from "./flow_run.ts";
import type { PendingCall } from "./pending.ts";
import type { Flow } from "./wiring.ts";

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
  for (const { flowRun, ended, branches, scheduler } of flows) {
    if (ended) continue;
    const waiting = branches.filter((branch) => branch.waits);
    const busy = scheduler?.busy ?? [];
    const works = [
      ...waiting.map(({ source, delivery, since }) =>
        [work(flowRun), source, delivery, since] as const
      ),
      ...busy.map(({ chain, resting, since }) =>
        [work(chain.flowRun, resting), flowRun.source, chain.delivery, since] as const
      ),
    ];
    for (const [what, source, delivery, since = now] of works) {
      stuck.push({
        ...what,
        flow: flowRun.flow,
        source,
        ...positionOf(delivery.receipt?.origin ?? delivery.root),
        sinceMs: Math.round(now - since),
      });
    }
    if (works.length > 0) continue;
    stuck.push({
      what: "stages have not ended",
      flow: flowRun.flow,
      source: flowRun.source,
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

function work(flowRun: FlowRun, resting = false): Pick<Stuck, "what" | "sink"> {
  if (resting) return { what: "waits for a retry" };
  if (flowRun.writing === "") return { what: "handles a message" };
  return { what: "writes to", sink: flowRun.writing };
}
