import { assertEquals } from "@std/assert";
import { toCheckpointSettings } from "../../src/checkpoint/checkpoint_options.ts";
import { CheckpointState } from "../../src/checkpoint/checkpoint_state.ts";
import { Corrections } from "../../src/checkpoint/corrections.ts";
import { Outages } from "../../src/checkpoint/outages.ts";
import { Dependency } from "../../mod.ts";
import type { Host } from "../../src/flow/source/host.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { Log, LogSource } from "../_support/log_source.ts";

Deno.test("Corrections lets others go on while a stale result waits for its partition to be read", async () => {
  const clock = new ManualClock();
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
  let tries = 0;
  state.gate.attach({
    seek: () => {},
    parts: () => [{ partition: 0, caughtUp: false }],
    beginnings: () => ++tries < 100 ? Promise.resolve(new Map()) : new Promise(() => {}),
  });
  state.results.add(1, 0, 5);
  state.results.markStale(5);
  state.frontier = 10;
  const corrections: Corrections = new Corrections(
    state,
    new Outages(state),
    () => corrections.correctIfDue(),
  );
  corrections.schedule("rates");
  corrections.correctIfDue();
  for (let turn = 0; turn < 10; turn++) await settle();
  assertEquals(tries, 1);
  await clock.tick(20);
  for (let turn = 0; turn < 10; turn++) await settle();
  assertEquals(tries, 2);
  corrections.unschedule();
});
