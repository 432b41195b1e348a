import { type Clock, delay } from "../../clock.ts";
import type { JoinOptions } from "./broker.ts";
import { KafkaError } from "./errors.ts";
import type { BrokerStatus } from "./status.ts";

/** The members of a group that read a topic, or may be about to. */
export interface Readers {
  /** Their names, as the brokers log them. */
  readonly names: readonly string[];
  /** Whether the group is sharing out its partitions. */
  readonly rebalancing: boolean;
}

/** With what {@linkcode untilAlone} waits. */
export interface AloneOptions {
  /** Asks who reads the topic now. */
  readonly readers: () => Promise<Readers>;
  /** Called with the members that it waits for. */
  readonly status: (status: BrokerStatus) => void;
  /** The time. */
  readonly clock: Clock;
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds between two looks at the group. */
const PAUSE_MS = 200;

/**
 * Resolves when no member of the group reads the topic. A member that was killed counts until its session
 * times out, and then the group may share out partitions to another dead one: so the waiting begins anew
 * when the group changes, within bounds.
 *
 * @throws {KafkaError} If others still read it when a session timeout has passed without a change.
 */
export async function untilAlone(join: JoinOptions, options: AloneOptions): Promise<void> {
  const { topic, groupId, sessionTimeout, rebalanceTimeout } = join;
  const { readers, status, clock, signal } = options;
  const last = clock.monotonic() + 2 * sessionTimeout + rebalanceTimeout;
  let until = 0;
  let known: string | undefined;
  for (;;) {
    const { names, rebalancing } = await readers();
    if (names.length === 0) return;
    const now = clock.monotonic();
    const seen = `${rebalancing} ${names}`;
    if (seen !== known) until = Math.min(now + sessionTimeout + PAUSE_MS, last);
    const who = names.length === 1 ? "another member" : `${names.length} other members`;
    const others = `${who} of group "${groupId}" (${names.join(", ")})`;
    if (known === undefined) {
      const waitsFor = `${others} to leave; ${killed(join)}`;
      status({ type: "joining", topic, groupId, waitedMs: 0, waitsFor });
    }
    if (now >= until) {
      throw new KafkaError(
        `Cannot keep exact state of topic "${topic}": it is read by ${others}, for longer than a ` +
          `session; let nobody else read it in that group; ${killed(join)}`,
        { topic },
      );
    }
    known = seen;
    await delay(clock, PAUSE_MS, signal);
  }
}

/** What to know of members that seem to be there. */
export function killed({ sessionTimeout }: { readonly sessionTimeout: number }): string {
  const seconds = sessionTimeout / 1_000;
  return `a member that was killed counts until its session times out, ${seconds} s (sessionTimeout)`;
}

/** A reader of a topic, in the eyes of who shares out the partitions. */
export interface Candidate {
  /** Whether it must be the only one. */
  readonly exclusive: boolean;
  /** The last generation of the group in which it was given partitions; 0 for none. */
  readonly held: number;
}

/** Returns who shares the partitions of a topic: all, or the one that must be alone and held them last. */
export function sharers<T extends Candidate>(readers: readonly T[]): readonly T[] {
  const exclusive = readers.filter((reader) => reader.exclusive);
  if (exclusive.length === 0) return readers;
  return [exclusive.reduce((last, each) => each.held > last.held ? each : last)];
}
