import type { Hub } from "../source/hub.ts";
import type { FlowRun } from "../run/flow_run.ts";
import type { ProxyQueue } from "./proxy_queue.ts";

/** A flow of a run, as far as the life of Proxies is concerned. */
export interface LiveFlow {
  readonly flowRun: FlowRun;
  /** True when its last stage has closed. */
  readonly ended: boolean;
  /** The sources that it reads. */
  readonly hubs: readonly Hub<unknown>[];
  /** The Proxies that it writes to. */
  readonly writes: readonly ProxyQueue<unknown>[];
}

/**
 * Returns the Proxies that can end now: starting from everything that may still put out a value (a source
 * that has not ended, a message in flight, a value held back, a writer of user code), it follows flows to
 * the Proxies that they write to, and from there to the flows that read those. What is not reached is idle
 * for good, also where flows form a circle. Of those, a Proxy ends when the flows that write to it have,
 * since a flow may put out what it holds at its end; those behind the Proxy itself are not waited for.
 */
export function finished(
  flows: readonly LiveFlow[],
  proxies: ReadonlyMap<ProxyQueue<unknown>, Hub<unknown> | undefined>,
): ProxyQueue<unknown>[] {
  const written = new Set(flows.flatMap((flow) => flow.writes));
  const hubs = new Map([...proxies].map(([queue, hub]) => [hub, queue]));
  const live = new Set<ProxyQueue<unknown>>();
  for (const [queue, hub] of proxies) {
    const idle = hub === undefined || hub.ended || (queue.idle && !hub.lookAhead?.taken);
    if (!idle || queue.writers.size > 0 || !(written.has(queue) || queue.released)) live.add(queue);
  }
  const alive = ({ ended, flowRun, hubs: sources }: LiveFlow) =>
    !ended && (flowRun.held > 0 || sources.every((hub) => hub.ended) ||
      sources.some((hub) => {
        const queue = hubs.get(hub);
        return queue === undefined ? !hub.ended : !hub.ended && live.has(queue);
      }));
  for (let before = -1; live.size !== before;) {
    before = live.size;
    for (const flow of flows) {
      if (alive(flow)) { for (const queue of flow.writes) live.add(queue); }
    }
  }
  return [...new Set([...written, ...proxies.keys()])].filter((queue) => {
    if (queue.ended || live.has(queue)) return false;
    const writers = flows.filter(({ ended, writes }) => !ended && writes.includes(queue));
    if (writers.length === 0) return true;
    const behind = flowsBehind(queue, flows);
    return writers.every((flow) => behind.has(flow));
  });
}

/** The flows that get what is written to `queue`, directly or through others. */
function flowsBehind(
  queue: ProxyQueue<unknown>,
  flows: readonly LiveFlow[],
  behind: Set<LiveFlow> = new Set(),
): Set<LiveFlow> {
  for (const flow of flows) {
    if (behind.has(flow) || !queue.readers.includes(flow.flowRun)) continue;
    behind.add(flow);
    for (const next of flow.writes) flowsBehind(next, flows, behind);
  }
  return behind;
}
