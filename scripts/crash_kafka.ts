/**
 * Kills a program with exact state on a real broker, at random moments, and checks what it did:
 * `deno task crash:kafka [--rounds N] [--seed N] [--concurrent]`.
 *
 * Topic → Cache with exact state → Topic, as in `deno task soak`. Each life of the program ends with SIGKILL:
 * while it starts, while it joins its group, or while it works. The last one runs to the end. Then the counts
 * must be those of what was sent, and every message must have its output, in order per key and with the
 * exact count; an output may be there more than once.
 *
 * With `--concurrent` up to 32 messages are handled at the same time, each for a random time, and some fail at first
 * after they have written. There are few keys then, so that messages of one key often meet.
 */
import { parseArgs } from "node:util";
import { Cache } from "@slipstream/slipstream";
import { Topic } from "@slipstream/slipstream/kafka";
import { deadline } from "@std/async/deadline";
import { delay } from "@std/async/delay";
import { Random } from "../src/testing/mod.ts";
import { runChecked } from "./soak/checked.ts";
import type { CountingReport } from "./soak/counting.ts";
import { truth } from "./soak/messages.ts";
import { OutputCheck } from "./soak/outputs.ts";
import { Program } from "./soak/program.ts";
import { Sender } from "./soak/sender.ts";
import { wrongCounts, wrongOutputs } from "./soak/verdict.ts";
import { until } from "./soak/wait.ts";
import type { Workplace } from "./soak/workplace.ts";

/** The shortest session that brokers allow by default: so long a member that was killed counts. */
const SESSION_MS = 6_000;
const PATIENCE_MS = 90_000;

/** What is handled: one message after the other as fast as it goes, or several at the same time. */
interface Load {
  readonly max?: number;
  readonly keys?: number;
  /** How many messages are sent at once, ten times a second. */
  readonly batch?: number;
}
const CONCURRENT: Load = { max: 32, keys: 200, batch: 300 };

/** A life of the program, which reports to the loop. */
class Life implements AsyncDisposable {
  readonly program: Program<CountingReport>;
  /** Resolves when it has opened everything and joins its group, or has ended. */
  readonly started: Promise<unknown>;
  /** Resolves when it has handled a message, or has ended. */
  readonly working: Promise<unknown>;
  messages = 0;

  constructor({ brokers, input, output, folder }: Workplace, { max }: Load) {
    const [started, working] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const path = `${folder}/counts`;
    const times = { sessionTimeout: SESSION_MS, intervalMs: 100 };
    const args = { brokers, input, output, path, ...times, max };
    this.program = new Program("counting", args, (report: CountingReport) => {
      if (report.type === "started") started.resolve();
      if (report.type !== "progress") return;
      this.messages = report.messages;
      if (report.messages > 0) working.resolve();
    });
    this.started = Promise.race([started.promise, this.program.ended]);
    this.working = Promise.race([working.promise, this.program.ended]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.program[Symbol.asyncDispose]();
  }
}

const WORDS = { spawned: "was spawned", started: "began to join", working: "began to work" };

/** Sends a batch at once, for who was killed while it started, and more as soon as the program reads. */
async function sendDuring(
  life: Life,
  sender: Sender,
  { batch }: Load,
  over: AbortSignal,
): Promise<void> {
  await sender.send(batch);
  await life.started;
  while (!over.aborted) {
    await sender.send(batch);
    await delay(100);
  }
}

/** Lets the program live `rounds` times and kills it; throws when it has ended before. */
async function kill(
  place: Workplace,
  sender: Sender,
  load: Load,
  { rounds, seed, signal }: { rounds: number; seed: number; signal: AbortSignal },
): Promise<void> {
  const random = new Random(seed);
  for (let round = 1; round <= rounds; round++) {
    const since = random.pick(["spawned", "started", "working", "working"] as const);
    const ms = random.integer(1_000);
    await using life = new Life(place, load);
    const over = new AbortController();
    const sending = sendDuring(life, sender, load, over.signal);
    try {
      if (since !== "spawned") await deadline(life[since], PATIENCE_MS, { signal });
      await delay(ms, { signal });
    } finally {
      life.program.kill("SIGKILL");
      over.abort();
      await sending;
    }
    const status = await life.program.ended;
    if (status.signal !== "SIGKILL") throw new Error(await life.program.ending());
    console.log(
      `round ${round}: killed ${ms} ms after it ${WORDS[since]}, handled ${life.messages}`,
    );
  }
}

/** Lets the program run to the end of its topic, and end in good order. */
async function finish(place: Workplace, load: Load, signal: AbortSignal): Promise<void> {
  const { brokers, input } = place;
  await using topic = new Topic(input, { brokers, groupId: input });
  await using life = new Life(place, load);
  const ended = life.program.ending().then((how) => Promise.reject(new Error(how)));
  ended.catch(() => {}); // whoever awaits it is told
  const committed = async () => [...(await topic.lag()).values()].every((lag) => lag === 0);
  await life.started;
  await Promise.race([
    ended,
    until("not all messages are committed", committed, PATIENCE_MS, signal),
  ]);
  await life.program.end(30_000);
}

/** Reads the output topic to its end. */
async function readOutputs({ brokers, output }: Workplace): Promise<OutputCheck> {
  const outputs = new OutputCheck();
  await using topic = new Topic(output, {
    brokers,
    groupId: `${output}-check`,
    offset: "earliest",
  });
  const ends = [...await topic.offsets()].map(([partition, { high }]) => ({ partition, high }));
  const left = new Map(ends.filter(({ high }) => high > 0).map((e) => [e.partition, e.high]));
  if (left.size === 0) return outputs;
  for await (const message of topic) {
    outputs.see(message);
    if (message.offset + 1 >= left.get(message.partition)!) left.delete(message.partition);
    if (left.size === 0) break;
  }
  return outputs;
}

/** Runs the loop, and returns what was wrong. */
async function crash(
  place: Workplace,
  load: Load,
  rounds: number,
  seed: number,
  signal: AbortSignal,
): Promise<string[]> {
  await using sender = await Sender.open(place.brokers, place.input, load.keys);
  await kill(place, sender, load, { rounds, seed, signal });
  await finish(place, load, signal);
  const { findings } = await deadline(readOutputs(place), PATIENCE_MS, { signal });
  await using cache = await Cache.open<number>(`${place.folder}/counts`, { maxBytes: Infinity });
  const counts = new Map<string, number>();
  for await (const [key, count] of cache.entries()) counts.set(String(key), count);
  const { sent } = sender;
  console.log(
    `rounds ${rounds}, sent ${sent}, outputs found ${findings.found}, again ${findings.again}`,
  );
  return [...wrongCounts(counts, truth(sent, load.keys)), ...wrongOutputs(findings, sent)];
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "6" },
      concurrent: { type: "boolean", default: false },
      seed: { type: "string", default: `${Math.floor(Math.random() * 1e6)}` },
    },
  });
  const [rounds, seed] = [Number(values.rounds), Number(values.seed)];
  if (!(Number.isSafeInteger(rounds) && rounds > 0)) {
    console.error(`Cannot run "${values.rounds}" rounds: use a whole number > 0`);
    return 2;
  }
  if (seed >>> 0 !== seed) {
    console.error(`Cannot begin with the seed "${values.seed}": use a whole number >= 0`);
    return 2;
  }
  console.log(`seed ${seed}`);
  return await runChecked(
    (place, signal) => crash(place, values.concurrent ? CONCURRENT : {}, rounds, seed, signal),
    "counts exact, every output there",
  );
}

Deno.exit(await main());
