import { assert, assertEquals } from "@std/assert";
import { DrainError } from "../../mod.ts";
import { delay } from "../../src/clock.ts";
import type { Random, Scheduler } from "../../src/testing/mod.ts";
import { type Process, type ProcessOptions, type Weather, World } from "./join_world.ts";

/** What one seed decides. */
interface Plan {
  readonly mode: "emit" | "wait";
  readonly finiteWait: boolean;
  readonly latenessMs: number;
  /** How far messages are out of order; more than `latenessMs` where some come too late. */
  readonly disorder: number;
  readonly outages: number;
  readonly crashes: number;
  readonly sparse: boolean;
  readonly jitter: number;
  readonly process: ProcessOptions;
}

/** Something that arrives: the partition of a log, and what is appended to it. */
interface Arrival {
  readonly at: number;
  readonly append: (world: World) => void;
}

const END = 120;

/** Runs one seed to its quiet end and checks what must hold then. */
export async function simulateCheckpoint(scheduler: Scheduler): Promise<void> {
  const { random } = scheduler;
  const world = new World({
    dependencies: 1 + random.integer(2),
    weatherParts: 1 + random.integer(2),
    questionParts: 1 + random.integer(3),
  });
  const plan = planOf(random);
  const arrivals = arrivalsOf(world, plan, random);
  const lives: Process[] = [];
  const known: Map<string, number>[] = [];
  let crashes = plan.crashes;
  const begin = () => {
    known.push(appliedIn(world));
    const life: Process = world.start(withTurns(plan.process, scheduler, () => {
      if (life === lives.at(-1) && random.chance(0.05)) crash();
    }));
    lives.push(life);
  };
  const crash = () => {
    if (crashes === 0) return;
    crashes--;
    lives.at(-1)!.kill();
    begin();
  };
  const turns = async (most: number) => {
    for (let left = random.integer(most); left > 0; left--) await scheduler.turn("the driver");
  };
  const drive = async () => {
    for (const { append } of arrivals) {
      await turns(4);
      if (random.chance(0.1)) await delay(scheduler.clock, random.integer(900));
      append(world);
      if (!random.chance(0.03)) continue;
      await turns(12);
      crash();
    }
  };
  begin();
  await scheduler.run(drive());
  await scheduler.drain();
  while (crashes > 0) { // crashes while it comes to rest
    crash();
    await scheduler.run(turns(12));
  }
  await scheduler.drain();
  check(world, plan, lives, known);
  lives.at(-1)!.kill();
  await scheduler.drain();
  for (const { streaming } of lives) {
    const error = await scheduler.run(streaming.then(() => undefined, (error) => error));
    if (error !== undefined) assert(error instanceof DrainError, String(error));
  }
}

function planOf(random: Random): Plan {
  const mode = random.chance(0.25) ? "wait" : "emit";
  const finiteWait = mode === "wait" && random.chance(0.4);
  const latenessMs = random.pick([0, 0, 6]);
  return {
    mode,
    finiteWait,
    latenessMs,
    disorder: latenessMs > 0 && random.chance(0.3) ? 3 * latenessMs : latenessMs,
    outages: random.integer(3),
    crashes: random.integer(5),
    sparse: random.chance(0.3),
    jitter: random.pick([0, 8]),
    process: {
      dependency: { latenessMs, idleParts: "hold" },
      checkpoint: {
        mode,
        ...(mode === "wait" && { time: ({ value }) => value.time }),
        ...(finiteWait && { waitMs: 500 }),
        pauseDependent: random.chance(0.8),
        ...(random.chance(0.3) && { maxPauseMs: 700 }),
        correctAfterMs: random.pick([200, 3000, Infinity]),
      },
    },
  };
}

/** Lets the scheduler decide when each step of a process goes on; the process may crash in its barriers. */
function withTurns(
  options: ProcessOptions,
  scheduler: Scheduler,
  mayCrash: () => void,
): ProcessOptions {
  return {
    ...options,
    clock: scheduler.clock,
    pick: (partitions) => scheduler.random.pick(partitions),
    beforeStore: () => scheduler.turn("a store write"),
    beforeAnswer: () => scheduler.turn("an answer"),
    afterAnswer: () => scheduler.turn("a sink"),
    onBarrier: async (step) => {
      await scheduler.turn(`the barrier's ${step}`);
      mayCrash();
    },
  };
}

function arrivalsOf(world: World, plan: Plan, random: Random): Arrival[] {
  const arrivals: Arrival[] = [];
  let number = 0;
  for (const log of world.weathers) {
    const outages = outagesOf(plan.outages, random);
    log.partitions.forEach((_, partition) => {
      const messages: Weather[] = [];
      const step = plan.sparse ? 30 : 5;
      for (let time = random.integer(5); time < END; time += random.integer(step + 1)) {
        messages.push({ time, value: `v${String(number++).padStart(4, "0")}` });
        if (messages.length > 60) break;
      }
      if (plan.sparse) { for (let time = 3; time < END; time += 4) messages.push({ time }); }
      const ordered = outOfOrder(messages, plan, random);
      let at = 0;
      for (const message of ordered) {
        at = Math.max(at, message.time + random.integer(6));
        for (const [from, to] of outages) if (at >= from && at < to) at = to;
        arrivals.push({ at, append: () => log.append(message, partition) });
      }
      // The last sign of life: everything before it is known.
      arrivals.push({ at: 1000, append: () => log.append({ time: 10 * END }, partition) });
    });
  }
  world.questions.partitions.forEach((_, partition) => {
    const slowness = random.pick([0, 10, 30]);
    let at = 0;
    for (let time = random.integer(5); time < END; time += 1 + random.integer(8)) {
      const question = { time: Math.max(0, time - random.integer(plan.jitter + 1)) };
      at = Math.max(at, time + slowness + random.integer(3));
      arrivals.push({ at, append: () => world.questions.append(question, partition) });
    }
  });
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

/** Moves messages behind later ones, by at most `disorder` in event time; signs of life keep their promise. */
function outOfOrder(messages: Weather[], plan: Plan, random: Random): Weather[] {
  const delayed = messages.map((message) => ({
    message,
    order: message.time +
      (message.value === undefined
        ? plan.disorder + 0.5
        : random.chance(0.3)
        ? plan.disorder * random.number()
        : 0),
  }));
  return delayed.toSorted((a, b) => a.order - b.order).map(({ message }) => message);
}

/** The position of each partition before which everything was handled, as the record on disk has it. */
function appliedIn(world: World): Map<string, number> {
  const record = world.disk.record.get("__questions_") as
    | { partitions: { partition: number; applied: number }[] }
    | undefined;
  return new Map(record?.partitions.map(({ partition, applied }) => [String(partition), applied]));
}

function check(
  world: World,
  plan: Plan,
  lives: readonly Process[],
  known: readonly Map<string, number>[],
): void {
  for (const { error } of lives) assertEquals(error, undefined);
  const { truth, answers } = world;
  for (const place of truth.keys()) assert(answers.has(place), `${place} has no result`);

  const late = new Set<number>();
  for (const { events } of lives) {
    for (const event of events) if (event.type === "late") late.add(event.marker as number);
  }
  const wrong = [...truth].filter(([place, answer]) => answers.get(place) !== answer);
  if (plan.disorder <= plan.latenessMs) assertEquals(late.size, 0, "nothing is reported as late");
  if (late.size === 0) assertEquals(wrong, [], "every last result is the right one");

  lives.forEach(({ emitted }, life) => {
    const once = new Set<string>();
    for (const { place, answer, corrects } of emitted) {
      if (plan.mode === "wait" && !plan.finiteWait && late.size === 0) {
        assertEquals(answer, truth.get(place), `mode "wait" never emits a stale result (${place})`);
      }
      if (corrects) continue;
      assert(!once.has(place), `${place} is handled twice without a correction`);
      once.add(place);
      const [partition, offset] = place.split(":");
      assert(
        Number(offset) >= (known[life]!.get(partition!) ?? 0),
        `${place} was applied before the process began, and is handled as if it were new`,
      );
    }
  });
}
