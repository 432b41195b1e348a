/**
 * Reads the output topic in a group of two members, one of which comes and goes, and checks every output.
 * The member is in a group of its own since a member with exact state needs all partitions of its topic.
 */
import { App } from "@slipstream/slipstream";
import { type Message, Topic } from "@slipstream/slipstream/kafka";
import { delay } from "@std/async/delay";
import { type Findings, OutputCheck } from "./outputs.ts";
import { say, saying } from "./program.ts";
import { measureVitals, type Vitals } from "./vitals.ts";

/** What the program is started with. */
export interface CheckingArguments {
  readonly brokers: string[];
  readonly output: string;
  /** Milliseconds that the second member stays, and is away. */
  readonly staysMs: number;
  readonly awayMs: number;
}

/** What the program reports. */
export type CheckingReport =
  | { readonly type: "started" }
  /** Four times a second, and at the end. */
  | {
    readonly type: "progress";
    readonly findings: Findings;
    /** How often the second member was given partitions. */
    readonly came: number;
  }
  /** Each second one. */
  | { readonly type: "vitals"; readonly vitals: Vitals };

if (import.meta.main) await saying(check);

async function check(): Promise<void> {
  const args: CheckingArguments = JSON.parse(Deno.args[0]!);
  const outputs = new OutputCheck();
  let came = 0;
  const over = new AbortController();
  const progress = () => report({ type: "progress", findings: outputs.findings, came });
  const progressing = setInterval(progress, 250);
  const measuring = setInterval(
    () => report({ type: "vitals", vitals: measureVitals() }),
    1_000,
  );

  const read = async (signal: AbortSignal, assigned: () => void) => {
    await using topic = new Topic(args.output, {
      brokers: args.brokers,
      groupId: `${args.output}-check`,
      offset: "earliest",
      onStatus: ({ type }) => void (type === "assigned" && assigned()),
    });
    const app = new App();
    app.handle(topic, (message: Message) => outputs.see(message), { name: "check" });
    await app.stream({ signal });
  };
  const comeAndGo = async () => {
    const { signal } = over;
    while (!signal.aborted) {
      await delay(args.awayMs, { signal }).catch(() => {});
      if (signal.aborted) return;
      let counted = false;
      await read(AbortSignal.any([signal, AbortSignal.timeout(args.staysMs)]), () => {
        if (!counted) came++;
        counted = true;
      });
    }
  };
  const stays = read(over.signal, () => report({ type: "started" }));
  const ends = Promise.all([
    stays.finally(() => over.abort()),
    comeAndGo().finally(() => over.abort()),
  ]);
  try {
    await ends;
  } finally {
    clearInterval(progressing);
    clearInterval(measuring);
    progress();
  }
}

function report(report: CheckingReport): void {
  say(report);
}
