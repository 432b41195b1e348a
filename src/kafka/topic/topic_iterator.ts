import { type Clock, settledWithin } from "../../clock.ts";
import { END, type Feed, openStores, WAIT } from "../../flow/source/feed.ts";
import type { Host } from "../../flow/source/host.ts";
import type { Gate } from "../../flow/source/gate.ts";
import { sharedRuns } from "../../shared_runs.ts";

/** Milliseconds between two commits. */
const COMMIT_EVERY_MS = 1_000;
/** Milliseconds that the last commit may take: the brokers may be away. */
const LAST_COMMIT_MS = 5_000;

/**
 * Reads a feed without an app: a message is acknowledged when the next one is asked for.
 *
 * - Before positions are committed the open stores are flushed, as by a commit. One that keeps the state of
 *   flows decides for itself: what a loop writes to it is on disk some time later.
 * - On `break`, and on an error in the loop, the message in hand stays unacknowledged; the others are
 *   committed, if stores and brokers answer in a few seconds, and the feed is cancelled.
 */
export async function* iterate<T>(
  open: (host: Host) => Feed<T>,
  gate: Gate,
  clock: Clock,
): AsyncGenerator<T, void, void> {
  const ended = new AbortController();
  const commit = sharedRuns(() => commitOf(feed));
  let failure: { error: unknown } | undefined;
  let wake = () => {};
  const woken = () => wake();
  const fail = (error: unknown) => {
    failure ??= { error };
    wake();
  };
  const host = {
    clock,
    stopping: ended.signal,
    signal: ended.signal,
    fail,
    commit: commit,
    isFlushed: () => openStores.size === 0,
  };
  const feed = open(host);
  const unobserve = gate.observe(woken); // once, not for each wait: the gate may not change for days
  let cancelTimer = clock.timer(function again() {
    cancelTimer = clock.timer(again, COMMIT_EVERY_MS);
    commit().catch(fail);
  }, COMMIT_EVERY_MS);
  try {
    gate.attach({ seek: (position) => feed.seek?.(position) });
    while (true) {
      if (failure) throw failure.error;
      const message = gate.closed ? WAIT : feed.poll();
      if (message === END) return;
      if (message === WAIT) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          feed.wait(woken);
        });
        continue;
      }
      const { receipt } = feed;
      if (feed.failure !== undefined) throw feed.failure;
      yield message;
      receipt?.release();
    }
  } finally {
    cancelTimer();
    unobserve();
    gate.attach(undefined);
    const last = commit();
    try {
      await Promise.race([last, settledWithin(clock, LAST_COMMIT_MS, last)]);
    } finally {
      ended.abort();
      await feed.cancel();
    }
  }
}

/** Commits what is acknowledged now, once the stores have what was made of it. */
async function commitOf(feed: Feed<unknown>): Promise<void> {
  const commit = feed.snapshot?.();
  if (commit === undefined) return;
  const stores = [...openStores].filter((store) => store.driven !== true);
  await Promise.all(stores.map((store) => store.flush()));
  await commit();
}
