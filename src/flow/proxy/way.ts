import type { Binding } from "../run/binding.ts";
import type { ExactStage } from "../stage/exact_pipes.ts";
import type { OnError } from "../stage/error_policy.ts";
import { gateOf } from "../source/gate.ts";
import { outputsOf, queuesOf } from "../state/state_checks.ts";

type Stage = ExactStage<unknown, unknown>;

/** How messages come to a flow through Proxies: from one source, in its order. */
export interface Way {
  /** The source that they were made from. */
  readonly source: unknown;
  /** The flow that reads it. */
  readonly reader: Binding;
  /** The Proxies on the way, from the last to the first. */
  readonly proxies: readonly unknown[];
}

/**
 * Finds the way of the messages of a flow that reads a Proxy: back from flow to flow, each of which is the only one
 * that writes to the Proxy behind it, and handles one message after the other.
 *
 * @param refused Makes the error that says why.
 * @throws {TypeError} If the messages do not have their place in one source.
 */
export function wayOf(
  binding: Binding,
  bindings: readonly Binding[],
  onError: OnError,
  refused: (why: string) => TypeError,
): Way {
  const proxies: unknown[] = [];
  let reader = binding;
  for (;;) {
    const [proxy] = reader.sources;
    const [queue] = queuesOf(reader.sources);
    if (reader.sources.length !== 1) {
      throw refused(
        reader === binding
          ? "it reads a Proxy beside other sources, and their messages have no common order; merge the sources " +
            "themselves, and do the work of the flow before the Proxy in a map() before the window"
          : `flow ${
            JSON.stringify(reader.name)
          }, which writes to the Proxy, reads a merge; put the window in that flow`,
      );
    }
    if (queue === undefined) break;
    if (proxies.includes(proxy)) throw refused("it reads a Proxy in a circle of flows");
    proxies.push(proxy);
    const other = concurrentReader(bindings, (sources) => queuesOf(sources).includes(queue));
    if (other === binding) {
      throw refused(
        "it reads a Proxy and handles messages concurrently, so nobody could tell which messages it has; leave out the " +
          "option concurrency, or use the window in the flow that reads the source",
      );
    }
    if (other !== undefined) {
      throw refused(
        `flow ${
          JSON.stringify(other.name)
        } handles messages of the Proxy concurrently; let it read a Proxy of its own`,
      );
    }
    const writers = bindings.filter((each) => queuesOf(outputsOf(each, onError)).includes(queue));
    const [writer] = writers;
    if (writer === undefined) {
      throw refused(
        "it reads a Proxy that no flow writes to, so its messages have no position; read a source that has positions",
      );
    }
    if (writers.length > 1) {
      const names = writers.map(({ name }) => JSON.stringify(name)).join(" and ");
      throw refused(
        `flows ${names} write to the Proxy that it reads, and their messages have no common order; put ` +
          "the window in a flow that reads a merge of their sources",
      );
    }
    const why = writer.concurrency !== undefined
      ? "handles messages concurrently, so they come in any order"
      : writer.pipes.some((pipe) => (pipe as Stage).ticks !== undefined)
      ? "has a window itself, whose results have no position"
      : undefined;
    if (why !== undefined) {
      throw refused(
        `flow ${
          JSON.stringify(writer.name)
        }, which writes to the Proxy that it reads, ${why}; send them to a Topic, and read that`,
      );
    }
    reader = writer;
  }
  const [source] = reader.sources;
  const other = concurrentReader(bindings, (sources) => sources.includes(source));
  if (other !== undefined) {
    throw refused(
      `flow ${
        JSON.stringify(other.name)
      } handles messages of the same source concurrently, ahead of flow ${
        JSON.stringify(reader.name)
      }, which writes to the Proxy; let flow ${JSON.stringify(other.name)} read a Proxy of its own`,
    );
  }
  const { corrector } = gateOf(source);
  if (corrector !== undefined && reader.replays !== "skip") {
    throw refused(
      `checkpoint ${JSON.stringify(corrector)} corrects the source of flow ${
        JSON.stringify(reader.name)
      }, which writes to the Proxy that it reads, and it cannot follow corrections; set replays: "skip" there`,
    );
  }
  return { source, reader, proxies };
}

/** Finds a flow that handles its messages concurrently, among those whose sources are such. */
function concurrentReader(
  bindings: readonly Binding[],
  isSuch: (sources: readonly unknown[]) => boolean,
): Binding | undefined {
  return bindings.find(({ sources, concurrency }) => concurrency !== undefined && isSuch(sources));
}
