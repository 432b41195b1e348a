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
    if (reader.sources.length > 1) {
      throw refused(
        reader === binding
          ? "it reads a Proxy beside other sources; let one flow read all of them"
          : `flow ${
            JSON.stringify(reader.name)
          }, which writes to the Proxy, reads a merge; put the window in that flow`,
      );
    }
    const other = bindings.find(({ sources, concurrency }) =>
      concurrency !== undefined && sources.includes(proxy)
    );
    if (other !== undefined) {
      throw refused(
        `flow ${JSON.stringify(other.name)} handles messages of ${
          queue === undefined ? "the source before the Proxy" : "the Proxy"
        } concurrently; leave out its option concurrency, or let it read that a second time`,
      );
    }
    if (queue === undefined) break;
    if (proxies.includes(proxy)) throw refused("it reads a Proxy in a circle of flows");
    proxies.push(proxy);
    const writers = bindings.filter((each) => queuesOf(outputsOf(each, onError)).includes(queue));
    const [writer] = writers;
    if (writer === undefined) {
      throw refused(
        "it reads a Proxy that no flow writes to, whose messages have no position; give it a source that has",
      );
    }
    if (writers.length > 1) {
      const names = writers.map(({ name }) => JSON.stringify(name)).join(" and ");
      throw refused(
        `flows ${names} write to the Proxy that it reads, and their messages have no common order; give each a ` +
          "Proxy and a window of its own",
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
