/**
 * Runs a program for long at the highest rate it takes, and checks everything it did: `deno task soak
 * [--minutes M]`.
 *
 * Topic → Cache with exact state → Topic on a real broker; a group of two members, of which one comes and
 * goes, reads what comes out and checks it. Prints what the processes hold, and how that grows. Ends with
 * code 1 and a line for each thing that is wrong: an output or a count, a commit that came too late, a heap
 * that grows.
 */
import { parseArgs } from "node:util";
import { Cache } from "@slipstream/slipstream";
import { Topic } from "@slipstream/slipstream/kafka";
import { runChecked } from "./soak/checked.ts";
import type { CheckingArguments, CheckingReport } from "./soak/checking.ts";
import type { CountingArguments, CountingReport } from "./soak/counting.ts";
import { truth } from "./soak/messages.ts";
import type { Findings } from "./soak/outputs.ts";
import { Program } from "./soak/program.ts";
import { Sender } from "./soak/sender.ts";
import { type Bounds, type Outcome, verdict } from "./soak/verdict.ts";
import { growthOf, type Reading, type Vitals } from "./soak/vitals.ts";
import { until } from "./soak/wait.ts";
import type { Workplace } from "./soak/workplace.ts";

/** What is allowed. A commit is due each second; the rest is a machine that is busy with other things. */
const BOUNDS: Bounds = {
  gapMs: 10_000,
  heap: { inAll: 2_000_000, perMinute: 500_000 },
  handles: { inAll: 10, perMinute: 1 },
};

/** How many messages wait for the program, so that it never waits for them. */
const AHEAD = 100_000;
/** How many outputs may wait to be checked. */
const UNCHECKED = 500_000;
const PRINT_MS = 10_000;
/** How long a start, and what is left at the end, may take. */
const PATIENCE_MS = 90_000;

const FIGURES = ["heap", "rss", "handles", "descriptors"] as const;

/** What processes were seen to hold, by process and figure. */
class Records {
  readonly #began = performance.now();
  readonly #readings = new Map<string, Map<string, Reading[]>>();
  #ended = false;

  /** Takes nothing more: from now on what is in flight gets less. */
  end(): void {
    this.#ended = true;
  }

  add(process: string, figures: Readonly<Record<string, number>>): void {
    if (this.#ended) return;
    const x = (performance.now() - this.#began) / 60_000;
    let ours = this.#readings.get(process);
    if (ours === undefined) this.#readings.set(process, ours = new Map());
    for (const [figure, y] of Object.entries(figures)) {
      const readings = ours.get(figure) ?? [];
      ours.set(figure, readings);
      readings.push({ x, y });
    }
  }

  last(process: string, figure: string): number {
    return this.#readings.get(process)?.get(figure)?.at(-1)?.y ?? NaN;
  }

  growth(process: string, figure: string) {
    return growthOf(this.#readings.get(process)?.get(figure) ?? []);
  }
}

/** One run: the programs, what they have reported, and the messages. */
class Soak {
  readonly #place: Workplace;
  readonly #sender: Sender;
  readonly #signal: AbortSignal;
  readonly #records = new Records();
  readonly #began = performance.now();
  #handled = 0;
  #commits = 0;
  #longestGapMs = 0;
  #findings: Findings = { found: 0, again: 0, faults: [] };
  #came = 0;
  #started = 0;
  #printed = { at: 0, handled: 0 };

  constructor(place: Workplace, sender: Sender, signal: AbortSignal) {
    this.#place = place;
    this.#sender = sender;
    this.#signal = signal;
  }

  /** Runs for so long and returns what was wrong. */
  async run(minutes: number): Promise<string[]> {
    try {
      return await this.#run(minutes);
    } catch (error) {
      // What was found until then may be the cause.
      const wrong = this.#findings.faults.map((fault) => `wrong: ${fault}`);
      return [error instanceof Error ? error.message : String(error), ...wrong];
    }
  }

  /** Sends, waits until all is done, ends the programs, and judges what they did. */
  async #run(minutes: number): Promise<string[]> {
    const { brokers, input, output, folder } = this.#place;
    const path = `${folder}/counts`;
    const countingArgs: CountingArguments = {
      brokers,
      input,
      output,
      path,
      sessionTimeout: 10_000,
      intervalMs: 1_000,
    };
    const checkingArgs: CheckingArguments = { brokers, output, staysMs: 6_000, awayMs: 4_000 };
    await using topic = new Topic(input, { brokers, groupId: input });
    const lag = async () => [...(await topic.lag()).values()].reduce((sum, lag) => sum + lag, 0);
    {
      const { promise: ended, reject } = Promise.withResolvers<never>();
      ended.catch(() => {}); // whoever awaits it is told
      await using counting = new Program<CountingReport>(
        "counting",
        countingArgs,
        (report) => this.#counted(report),
      );
      await using checking = new Program<CheckingReport>(
        "checking",
        checkingArgs,
        (report) => this.#checked(report),
      );
      for (const program of [counting, checking]) {
        program.ending().then((how) => reject(new Error(how)));
      }
      const orEnded = <T>(work: Promise<T>) => Promise.race([work, ended]);
      const wait = (what: string, condition: () => boolean | Promise<boolean>) =>
        orEnded(until(what, condition, PATIENCE_MS, this.#signal));

      await wait("the programs have not started", () => this.#started === 2);
      this.#say("started");
      const measuring = setInterval(
        () => lag().then((lag) => this.#records.add("input", { lag }), () => {}),
        1_000,
      );
      const printing = setInterval(() => this.#print(), PRINT_MS);
      try {
        await orEnded(this.#send(minutes * 60_000));
        this.#records.end();
        const { sent } = this.#sender;
        await wait("not all messages are handled", () => this.#handled >= sent);
        await wait("not all outputs are found", () => this.#findings.found >= sent);
        await wait("not all messages are committed", async () => await lag() === 0);
      } finally {
        clearInterval(measuring);
        clearInterval(printing);
        this.#print();
      }
      await counting.end(30_000);
      await checking.end(30_000);
    }
    await using cache = await Cache.open<number>(path, { maxBytes: Infinity });
    const counts = new Map<string, number>();
    for await (const [key, count] of cache.entries()) counts.set(String(key), count);
    return this.#judge(counts, await lag());
  }

  /** Sends as fast as what is sent is handled and checked. */
  async #send(ms: number): Promise<void> {
    for (const end = performance.now() + ms; performance.now() < end;) {
      this.#signal.throwIfAborted();
      if (this.#findings.faults.length > 0) throw new Error("gave up at the first wrong output");
      const { sent } = this.#sender;
      const full = sent - this.#handled > AHEAD || sent - this.#findings.found > UNCHECKED;
      if (full) await new Promise((resolve) => setTimeout(resolve, 20));
      else await this.#sender.send();
    }
  }

  #counted(report: CountingReport): void {
    if (report.type === "started") this.#started++;
    else if (report.type === "progress") this.#handled = report.messages;
    else if (report.type === "trouble") this.#say(`counting: ${report.text}`);
    else {
      this.#measured("counting", report.vitals);
      this.#commits = report.commits;
      this.#longestGapMs = report.longestGapMs;
    }
  }

  #checked(report: CheckingReport): void {
    if (report.type === "started") this.#started++;
    else if (report.type === "vitals") this.#measured("checking", report.vitals);
    else {
      this.#findings = report.findings;
      this.#came = report.came;
    }
  }

  #measured(process: string, vitals: Vitals): void {
    this.#records.add(process, { ...vitals });
  }

  #say(text: string): void {
    const seconds = Math.round((performance.now() - this.#began) / 1_000);
    console.log(`${String(seconds).padStart(5)} s  ${text}`);
  }

  #print(): void {
    const at = performance.now();
    const rate = (this.#handled - this.#printed.handled) / ((at - this.#printed.at) / 1_000);
    this.#printed = { at, handled: this.#handled };
    const holds = (process: string) => {
      const of = (figure: string) => this.#records.last(process, figure);
      return `${process} heap ${mega(of("heap"))} rss ${mega(of("rss"))} ` +
        `handles ${of("handles")} descriptors ${of("descriptors")}`;
    };
    this.#say([
      `${Math.round(rate)}/s`,
      `commits ${this.#commits}`,
      `longest gap ${Math.round(this.#longestGapMs)} ms`,
      `lag ${this.#records.last("input", "lag")}`,
      `checked ${this.#findings.found}`,
      holds("counting"),
      holds("checking"),
    ].join(", "));
  }

  #judge(counts: Map<string, number>, uncommitted: number): string[] {
    const growth = new Map<string, Map<string, ReturnType<typeof growthOf>>>();
    for (const process of ["counting", "checking"]) {
      const figures = FIGURES.map((figure) =>
        [figure, this.#records.growth(process, figure)] as const
      );
      const texts = figures.map(([figure, { perMinute, error }]) =>
        figure === "heap" || figure === "rss"
          ? `${figure} ${mega(perMinute)} ± ${mega(error)}`
          : `${figure} ${perMinute.toFixed(1)} ± ${error.toFixed(1)}`
      );
      this.#say(`growth a minute of ${process}: ${texts.join(", ")}`);
      growth.set(process, new Map(figures.filter(([figure]) => figure !== "rss")));
    }
    const { perMinute, error } = this.#records.growth("input", "lag");
    this.#say(`growth a minute of the lag: ${perMinute.toFixed(0)} ± ${error.toFixed(0)}`);
    const { sent } = this.#sender;
    const outcome: Outcome = {
      sent,
      findings: this.#findings,
      counts,
      truth: truth(sent),
      uncommitted,
      commits: this.#commits,
      longestGapMs: this.#longestGapMs,
      came: this.#came,
      growth,
    };
    this.#say(
      `${sent} messages, ${this.#commits} commits, longest gap ${
        Math.round(this.#longestGapMs)
      } ms, a member came ${this.#came} times, ${this.#findings.found} outputs checked, ` +
        `${this.#findings.again} of them again`,
    );
    return verdict(outcome, BOUNDS);
  }
}

function mega(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { minutes: { type: "string", default: "1" } } });
  const minutes = Number(values.minutes);
  if (!(minutes > 0 && minutes <= 24 * 60)) {
    console.error(`Cannot soak for "${values.minutes}" minutes: use a number > 0 and <= 1440`);
    return 2;
  }
  return await runChecked(async (place, signal) => {
    await using sender = await Sender.open(place.brokers, place.input);
    return await new Soak(place, sender, signal).run(minutes);
  }, "nothing lost, nothing wrong, nothing grows");
}

Deno.exit(await main());
