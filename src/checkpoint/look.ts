import type { CompanionView } from "../flow/source/host.ts";
import { storeOf } from "../flow/source/feed.ts";
import type { CheckpointAlgorithm } from "./checkpoint_algorithm.ts";
import { type Dependency, internals } from "./dependency.ts";
import { finite } from "./history.ts";

/** Tells how far a checkpoint is, for whoever looks. */
export function lookAt({ state, outages, corrections, held }: CheckpointAlgorithm): CompanionView {
  const { history, results, gate, settings } = state;
  const provisional = results.firstProvisional;
  const positions = Object.fromEntries(
    provisional.map(([partition, step]) => [partition, step.position]),
  );
  return {
    snapshot: {
      checkpoint: state.name,
      corrects: settings.correct,
      pulse: finite(state.latestPulse),
      frontier: finite(state.frontier),
      pauses: outages.paused,
      correcting: corrections.busy || (gate.read && state.tracker.behind),
      provisional: {
        from: finite(Math.min(...provisional.map(([, { time }]) => time))),
        positions,
        results: 0,
      },
      stale: Object.fromEntries(results.stale),
      held,
      outages: history.outages,
      corrections: history.corrections,
      lastOutages: history.lastOutages,
      lastCorrections: history.lastCorrections,
    },
    dependent: settings.dependent as object,
    dependencies: settings.dependencies.map((dependency) => ({
      snapshot: ofDependency(dependency, history.downSince(dependency.name), state.clock.now()),
      source: dependency.dependency as object,
      heard: dependency[internals].heard,
    })),
    kept: (settings.cache as { [storeOf]?: object } | undefined)?.[storeOf],
  };
}

function ofDependency(
  { name, [internals]: known }: Dependency,
  downSince: number | undefined,
  now: number,
): CompanionView["dependencies"][number]["snapshot"] {
  return {
    dependency: name,
    marker: finite(known.marker),
    frontier: finite(known.frontier),
    complete: known.frontier === Infinity,
    down: known.down,
    downMs: known.down && downSince !== undefined ? Math.max(0, now - downSince) : undefined,
    lagging: known.down ? known.lagging : [],
    unheard: known.unheard,
  };
}
