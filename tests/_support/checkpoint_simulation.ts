/**
 * One simulated life of a join with a checkpoint, on the embedded broker: disorder, outages, errors, crashes
 * between any two steps, groups that are lost. All from a seed; see `deno task simulate checkpoint`.
 */
import { assert, assertEquals } from "@std/assert";
import { delay } from "../../src/clock.ts";
import type { Random, Scheduler } from "../../src/testing/mod.ts";
import { type Event, Join, type JoinSetup, type Width } from "./simulated_join.ts";
import type { JoinProcess } from "./simulated_process.ts";

/** What one seed decides. */
interface Plan {
  readonly finiteWait: boolean;
  /** How far messages are out of order; more than `outOfOrderness` where some come too late. */
  readonly disorder: number;
  readonly outages: number;
  readonly sparse: boolean;
  readonly jitter: number;
  /** What happens to the processes, each at most so many times. */
  readonly troubles: readonly Trouble[];
  readonly join: JoinSetup;
}

/** What may happen to a process at any step. */
type Trouble = "crash" | "restart" | "lost groups" | "rebalance";

/** Something that arrives. */
interface Arrival {
  readonly at: number;
  readonly send: (join: Join) => Promise<void>;
}

const END = 90;
/** What is sent at the end, so that everything before it is known. */
const LAST = 10 * END;
/** Longer than anything waits; it passes only while nothing else can happen. */
const REST_MS = 10_000;

/** Runs one seed to its quiet end and checks what must hold then. */
export async function simulateCheckpoint(scheduler: Scheduler): Promise<void> {
  const { random } = scheduler;
  const plan = planOf(random);
  const join = new Join(scheduler, plan.join);
  await join.open();
  const lives = new Lives(join, plan);
  const onStep = () => {
    lives.trouble(0.02);
    lives.showLife();
  };
  const living = lives.live();
  await scheduler.run(Promise.race([arrive(join, plan), living]), { onStep });
  const restMs = plan.join.slow > 0 ? 6 * REST_MS : REST_MS;
  const rest = () => Promise.race([delay(scheduler.clock, restMs), living]);
  await scheduler.run(rest(), { onStep });
  await scheduler.run(Promise.race([everythingIsKnown(join, LAST), living]));
  await scheduler.run(rest());
  lives.checkQuiet();
  lives.end();
  await scheduler.run(living);
  const answers = await scheduler.run(join.answers());
  check(join, plan, lives.all, answers);
  if (!plan.join.exactState) return;
  const counts = await scheduler.run(join.counts());
  for (const place of join.truth.keys()) {
    assertEquals(counts.get(place), 1, `exact state counts every question once (${place})`);
  }
}

/** The processes, one after the other. */
class Lives {
  readonly all: JoinProcess[] = [];
  readonly #join: Join;
  readonly #troubles: Trouble[];
  readonly #mayStop: boolean;
  #now: JoinProcess | undefined;
  #over = false;

  constructor(join: Join, { troubles, join: { policy } }: Plan) {
    this.#join = join;
    this.#troubles = [...troubles];
    this.#mayStop = policy === "stop";
  }

  /** Starts a process whenever there is none. */
  async live(): Promise<void> {
    while (!this.#over) {
      const process = this.#now = await this.#join.start();
      this.all.push(process);
      if (this.#over) process.stop(); // it was being started
      const error = await process.gone;
      if (error === undefined) continue;
      const { cause } = error as Error;
      if (!this.#mayStop || (cause as Error)?.message !== "transient") throw error;
    }
  }

  /** Has something happen to the process, perhaps. */
  trouble(probability: number): void {
    const { scheduler } = this.#join;
    if (this.#troubles.length === 0 || !scheduler.random.chance(probability)) return;
    const trouble = this.#troubles.pop()!;
    void scheduler.turn(trouble).then(() => {
      if (trouble === "rebalance") void this.#join.rebalance();
      else if (trouble === "crash") this.#now?.kill();
      else if (trouble === "restart") this.#now?.stop();
      else this.#now?.loseGroups();
    });
  }

  /** Gives a sign of life outside of all handlers, perhaps. */
  showLife(): void {
    const { scheduler: { random }, options: { outside } } = this.#join;
    if (outside > 0 && random.chance(outside)) this.#now?.showLife();
  }

  /** Nothing is held back, and nothing that is known to be wrong is left. */
  checkQuiet(): void {
    const { checkpoint, watch: { paused } } = this.#now!;
    assertEquals(checkpoint.staleState, {}, "nothing is left to be corrected");
    const isSilent = this.#join.options.dependency.downtimeAfter !== undefined;
    if (!isSilent) assertEquals(paused, [], "nothing is stuck");
  }

  /** Ends the last process in peace. */
  end(): void {
    this.#over = true;
    this.#now?.stop();
  }
}

function planOf(random: Random): Plan {
  const mode = random.chance(0.25) ? "wait" : "emit";
  const finiteWait = mode === "wait" && random.chance(0.4);
  const outOfOrderness = random.pick([0, 0, 6]);
  const policy = random.pick(["stop", "skip", "retry", "dead letter"] as const);
  const exactState = random.pick([false, true]);
  const troubles = ["crash", "crash", "restart", "lost groups", "rebalance"] as const;
  const width = (): Width | undefined => {
    if (random.chance(0.4)) return undefined;
    const max = random.pick([2, 3, 8]);
    return {
      max,
      ahead: random.pick([max, 2 * max, 40]),
      by: random.pick(["none", "partition", "time"]),
    };
  };
  const slow = random.pick([0, 0, 0.15]);
  const concurrent = random.chance(0.3)
    ? {}
    : { weathers: width(), stored: width(), questions: width() };
  return {
    finiteWait,
    disorder: outOfOrderness > 0 && random.chance(0.3) ? 3 * outOfOrderness : outOfOrderness,
    outages: random.integer(3),
    sparse: random.chance(0.3),
    jitter: random.pick([0, 8]),
    troubles: Array.from({ length: random.integer(6) }, () => random.pick(troubles)),
    join: {
      dependencies: 1 + random.integer(2),
      weatherParts: 1 + random.integer(2),
      questionParts: 1 + random.integer(3),
      oneGroup: random.chance(0.5),
      policy,
      // After an error, what was sent to a Proxy before could not be taken back from exact state.
      behindProxy: (!exactState || policy === "stop") && random.chance(0.4),
      // From outside nobody can say that several messages at the same time have all been heard of.
      outside: concurrent.weathers === undefined ? random.pick([0, 0.05]) : 0,
      concurrent,
      slow,
      failures: random.pick([0, 0.02]),
      exactState,
      commit: { interval: random.pick([50, 1000]), messages: random.pick([2, 7, 1000]) },
      dependency: {
        outOfOrderness,
        // Where the questions take long, the weathers have been silent for longer before all are answered.
        ...(random.chance(0.2) && slow === 0 && { downtimeAfter: 300 }),
        ...(random.chance(0.1) && { idleParts: "pass" }),
      },
      checkpoint: {
        mode,
        ...(mode === "wait" && { time: ({ value }: { value: Event }) => value.time }),
        ...(finiteWait && { maxWait: 500 }),
        pauseDependent: random.chance(0.8),
        ...(random.chance(0.3) && { maxPause: 700 }),
        correctAfter: random.pick([200, 3000, Infinity]),
      },
    },
  };
}

/** Sends everything, in its order; the processes may be behind. */
async function arrive(join: Join, plan: Plan): Promise<void> {
  const { scheduler, scheduler: { random } } = join;
  for (const { send } of arrivalsOf(join, plan)) {
    for (let left = random.integer(6); left > 0; left--) await scheduler.turn("the world");
    if (random.chance(0.1)) await delay(scheduler.clock, random.integer(900));
    await send(join);
  }
  await everythingIsKnown(join, LAST - 1);
}

/** Sends a sign of life to every part of every dependency. */
async function everythingIsKnown(join: Join, time: number): Promise<void> {
  for (const [index] of join.weathers.entries()) {
    for (let part = 0; part < join.options.weatherParts; part++) {
      await join.say({ time }, index, part);
    }
  }
}

function arrivalsOf(join: Join, plan: Plan): Arrival[] {
  const { options: { weatherParts, questionParts, policy }, scheduler: { random } } = join;
  const poison = policy === "skip" || policy === "dead letter";
  const mark = (event: Event) => poison && random.chance(0.05) ? { ...event, poison } : event;
  const arrivals: Arrival[] = [];
  let number = 0;
  for (const [index] of join.weathers.entries()) {
    const outages = outagesOf(plan.outages, random);
    for (let part = 0; part < weatherParts; part++) {
      const events: Event[] = [];
      const step = plan.sparse ? 30 : 10;
      for (let time = random.integer(step); time < END; time += random.integer(step + 1)) {
        events.push(mark({ time, value: `v${String(number++).padStart(4, "0")}` }));
      }
      if (plan.sparse) { for (let time = 3; time < END; time += 8) events.push({ time }); }
      let at = 0;
      for (const event of outOfOrder(events, plan, random)) {
        at = Math.max(at, event.time + random.integer(6));
        for (const [from, to] of outages) if (at >= from && at < to) at = to;
        arrivals.push({ at, send: (join) => join.say(event, index, part) });
        join.coming[index]!.getOrInsertComputed(part, () => []).push(event);
      }
    }
  }
  for (let partition = 0; partition < questionParts; partition++) {
    const slowness = random.pick([0, 10, 30]);
    let at = 0;
    for (let time = random.integer(5); time < END; time += 1 + random.integer(16)) {
      const question = mark({ time: Math.max(0, time - random.integer(plan.jitter + 1)) });
      at = Math.max(at, time + slowness + random.integer(3));
      arrivals.push({ at, send: (join) => join.ask(question, partition) });
    }
  }
  return arrivals.toSorted((a, b) => a.at - b.at);
}

function outagesOf(count: number, random: Random): [number, number][] {
  const outages: [number, number][] = [];
  for (let from = 10 + random.integer(20); count > 0; count--) {
    const to = from + 15 + random.integer(30);
    outages.push([from, to]);
    from = to + 5 + random.integer(20);
  }
  return outages;
}

/** Moves events behind later ones, by at most `disorder` in event time; signs of life keep their promise. */
function outOfOrder(events: Event[], plan: Plan, random: Random): Event[] {
  const delayed = events.map((event) => {
    const late = random.chance(0.3) ? plan.disorder * random.number() : 0;
    return { event, order: event.time + (event.value === undefined ? plan.disorder + 0.5 : late) };
  });
  return delayed.toSorted((a, b) => a.order - b.order).map(({ event }) => event);
}

function check(
  { truth, questions, options, poison, deadLetters }: Join,
  plan: Plan,
  lives: readonly JoinProcess[],
  answers: ReadonlyMap<string, string>,
): void {
  assertEquals([...answers.keys()].sort(), [...truth.keys()].sort(), "every message has a result");
  if (options.policy === "dead letter") assertEquals(deadLetters, poison, "what cannot be handled");

  const late = lives.flatMap(({ events }) =>
    events.flatMap((event) => event.type === "late" ? [event.marker as number] : [])
  );
  const { outOfOrderness, idleParts } = options.dependency;
  const isInTime = plan.disorder <= Number(outOfOrderness) && idleParts !== "pass";
  if (isInTime) assertEquals(late, [], "nothing is reported as late");
  for (const [place, answer] of truth) {
    const [partition, offset] = place.split(":").map(Number);
    const { time } = questions[partition!]![offset!]!;
    if (late.some((marker) => marker <= time)) continue; // not covered, and reported
    assertEquals(answers.get(place), answer, `the last result is the right one (${place})`);
  }

  // What is late for a process that dies with its frontier is in time for the next one, and not reported.
  const neverStale = options.checkpoint.mode === "wait" && !plan.finiteWait &&
    late.length === 0 && (isInTime || lives.length === 1);
  for (const { emitted, applied, watch } of lives) {
    assertEquals(watch.wrong, []);
    const once = new Set<string>();
    for (const { place, answer, corrects } of emitted) {
      if (neverStale) {
        assertEquals(answer, truth.get(place), `mode "wait" never emits a stale result (${place})`);
      }
      if (corrects) continue;
      assert(!once.has(place), `${place} is handled twice without a correction`);
      once.add(place);
      const [partition, offset] = place.split(":").map(Number);
      assert(
        offset! >= (applied.get(partition!) ?? 0),
        `${place} was applied before the process began, and is handled as if it were new`,
      );
    }
  }
}
