import { assertEquals } from "@std/assert";
import { toCheckpointSettings } from "../../src/checkpoint/checkpoint_options.ts";
import { CheckpointState } from "../../src/checkpoint/checkpoint_state.ts";
import { Corrections } from "../../src/checkpoint/corrections.ts";
import { Outages } from "../../src/checkpoint/outages.ts";
import { Dependency } from "../../mod.ts";
import type { Host } from "../../src/flow/source/host.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { Log, LogSource } from "../_support/log_source.ts";

/** Corrections of a result of partition 1 that is stale, and due to be corrected. */
function due(clock: ManualClock, rested: (corrections: Corrections) => void) {
  const source = new LogSource(new Log<number>(2));
  const settings = toCheckpointSettings("c", {
    dependent: source,
    dependencies: [new Dependency("rates", [1])],
    correct: true,
    clock,
    partitions: { update: () => Promise.resolve(undefined), flush: () => Promise.resolve() },
  });
  const state = new CheckpointState({} as never, "c", settings);
  state.host = { clock } as unknown as Host;
  state.results.add(1, 0, 5);
  state.results.markStale(5);
  state.frontier = 10;
  const corrections: Corrections = new Corrections(
    state,
    new Outages(state),
    () => rested(corrections),
  );
  corrections.schedule("rates");
  return { gate: state.gate, corrections };
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await settle();
}

Deno.test("Corrections lets others go on while a stale result waits for its partition to be read", async () => {
  const clock = new ManualClock();
  const { gate, corrections } = due(clock, (corrections) => corrections.correctIfDue());
  let tries = 0;
  gate.attach({
    seek: () => {},
    parts: () => [{ partition: 0, caughtUp: false }],
    beginnings: () => ++tries < 100 ? Promise.resolve(new Map()) : new Promise(() => {}),
  });
  corrections.correctIfDue();
  await settled();
  assertEquals(tries, 1);
  await clock.tick(20);
  await settled();
  assertEquals(tries, 2);
  corrections.unschedule();
});

Deno.test("Corrections does nothing while the dependent is not read, and goes on when it is", async () => {
  let rests = 0;
  const { gate, corrections } = due(new ManualClock(), (corrections) => {
    if (++rests < 100) corrections.correctIfDue();
  });
  corrections.correctIfDue();
  await settled();
  assertEquals(rests, 0);
  const sought: unknown[] = [];
  gate.attach({
    seek: (position) => void sought.push(position),
    parts: () => [{ partition: 1, caughtUp: false }],
    beginnings: () => Promise.resolve(new Map()),
  });
  corrections.correctIfDue();
  await settled();
  assertEquals([rests, sought.length], [1, 1]);
  corrections.unschedule();
});
