/**
 * The program under test: counts the messages of a topic by key, in a Cache on disk with exact state, and
 * sends on how many there were. What it reports is in {@linkcode CountingReport}.
 */
import { App, Cache, retry } from "@slipstream/slipstream";
import { Topic } from "@slipstream/slipstream/kafka";
import { delay } from "@std/async/delay";
import { CommitWatch } from "./commits.ts";
import { resultOf } from "./messages.ts";
import { say, saying } from "./program.ts";
import { measureVitals, type Vitals } from "./vitals.ts";

/** What the program is started with. */
export interface CountingArguments {
  readonly brokers: string[];
  readonly input: string;
  readonly output: string;
  /** The path of the cache. */
  readonly path: string;
  readonly sessionTimeout: number;
  /** Milliseconds between two commits. */
  readonly intervalMs: number;
  /** How many messages are handled at the same time: each takes a random time then, and some fail at first. */
  readonly max?: number | undefined;
}

/** What the program reports. */
export type CountingReport =
  | { readonly type: "started" }
  /** Ten times a second. */
  | { readonly type: "progress"; readonly messages: number }
  /** Each second one, and one at the end. */
  | {
    readonly type: "vitals";
    readonly vitals: Vitals;
    readonly commits: number;
    readonly longestGapMs: number;
  }
  /** What goes wrong and is mended. */
  | { readonly type: "trouble"; readonly text: string };

if (import.meta.main) await saying(count);

async function count(): Promise<void> {
  const args: CountingArguments = JSON.parse(Deno.args[0]!);
  const options = {
    brokers: args.brokers,
    groupId: args.input,
    offset: "earliest",
    sessionTimeout: args.sessionTimeout,
    heartbeatInterval: Math.min(1_000, args.sessionTimeout / 5),
  } as const;
  await using source = new Topic(args.input, {
    ...options,
    onStatus: (status) => {
      if (status.type === "away" || status.type === "lost" || status.type === "stuck") {
        trouble(`${status.type} ${JSON.stringify(status)}`);
      }
    },
  });
  await using sink = new Topic(args.output, options);
  await using counts = await Cache.open<number>(args.path, { maxBytes: Infinity });

  const watch = new CommitWatch();
  let messages = 0;
  const app = new App({
    commit: { interval: args.intervalMs },
    onStatus: (event) => {
      if (event.type === "started") report({ type: "started" });
      else if (event.type === "commit") watch.committed();
      else if (event.type === "commit_failed") trouble(`commit_failed ${event.error}`);
    },
  });
  const { max } = args;
  app.handle(source, async ({ key, value }, { attempt }) => {
    if (max !== undefined) await delay(randomMs());
    const count = await counts.update(key!, (count = 0) => count + 1);
    if (max !== undefined && attempt === 1 && Math.random() < 0.02) throw new Error("not yet");
    messages++;
    watch.delivered();
    return [key, resultOf(value, count)] as const;
  }, {
    name: "count",
    state: counts,
    sink,
    concurrency: max === undefined ? undefined : { max },
    onError: max === undefined ? "stop" : retry({ attempts: 1, minDelay: 20 }),
  });

  const progress = setInterval(() => report({ type: "progress", messages }), 100);
  const vitals = () =>
    report({
      type: "vitals",
      vitals: measureVitals(),
      commits: watch.commits,
      longestGapMs: watch.longestMs,
    });
  const measuring = setInterval(vitals, 1_000);
  try {
    await app.stream();
  } finally {
    clearInterval(progress);
    clearInterval(measuring);
    vitals();
  }
}

/** How long a message takes: one in 200 much longer than the others. */
function randomMs(): number {
  return Math.random() * (Math.random() < 0.005 ? 1_000 : 10);
}

function report(report: CountingReport): void {
  say(report);
}

function trouble(text: string): void {
  report({ type: "trouble", text });
}
