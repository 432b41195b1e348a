import { assertEquals, assertRejects } from "@std/assert";
import type { OffsetsByTopicPartition } from "kafkajs";
import { KafkaError } from "../../src/kafka/client/errors.ts";
import { Commits } from "../../src/kafka/kafkajs/commits.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";

/** Answers the requests of a {@linkcode Commits}, one at a time, as a test wants. */
function coordinator() {
  const clock = new ManualClock();
  const commits = new Commits("g", "t", clock);
  const asked: string[] = [];
  const answers: PromiseWithResolvers<void>[] = [];
  commits.through(({ topics }: OffsetsByTopicPartition) => {
    asked.push(topics[0]!.partitions.map((at) => `${at.partition}:${at.offset}`).join());
    answers.push(Promise.withResolvers<void>());
    return answers.at(-1)!.promise;
  });
  const lost = Object.assign(new Error("gone"), { name: "KafkaJSConnectionClosedError" });
  return {
    clock,
    commits,
    asked,
    commit: (at: Record<number, number>, isCurrent = () => true) =>
      commits.commit(new Map(Object.entries(at).map(([p, o]) => [Number(p), o])), isCurrent),
    confirm: () => answers.at(-1)!.resolve(),
    fail: (error: Error = lost) => answers.at(-1)!.reject(error),
  };
}

Deno.test("Commits sends at a repetition what was asked for last, so that no commit is rewound", async () => {
  const { clock, asked, commit, confirm, fail } = coordinator();
  const older = commit({ 0: 5, 1: 5 });
  fail();
  await clock.tick(0);
  const newer = commit({ 0: 7 });
  confirm();
  assertEquals(await newer, "committed");
  await clock.tick(1_000);
  confirm();
  assertEquals(await older, "committed");
  assertEquals(asked, ["0:5,1:5", "0:7", "0:7,1:5"]);
});

Deno.test("Commits sends what was asked for last, also when that is earlier after a seek", async () => {
  const { clock, asked, commit, confirm } = coordinator();
  const all = [commit({ 0: 5 }), commit({ 0: 7 }), commit({ 0: 2 })];
  for (const _ of all) {
    confirm();
    await clock.tick(0);
  }
  assertEquals(await Promise.all(all), ["committed", "committed", "committed"]);
  assertEquals(asked, ["0:5", "0:2", "0:2"]);
});

Deno.test("Commits has one request in flight, also when one is repeated", async () => {
  const { clock, asked, commit, confirm, fail } = coordinator();
  const older = commit({ 0: 5 });
  fail();
  await clock.tick(0);
  const newer = commit({ 1: 7 });
  await clock.tick(1_000);
  assertEquals(asked, ["0:5", "1:7"]);
  confirm();
  await clock.tick(0);
  confirm();
  assertEquals(await Promise.all([older, newer]), ["committed", "committed"]);
  assertEquals(asked, ["0:5", "1:7", "0:5"]);
});

Deno.test("Commits forgets at the end of a generation what was asked for in it", async () => {
  const { clock, commits, asked, commit, confirm, fail } = coordinator();
  let current = true;
  const old = commit({ 0: 9 }, () => current);
  fail();
  await clock.tick(0);
  current = false;
  commits.generationEnded();
  assertEquals(await commit({ 0: 8 }, () => current), "fenced");
  const fresh = commit({ 0: 3 });
  confirm();
  assertEquals(await fresh, "committed");
  await clock.tick(1_000);
  assertEquals(await old, "fenced");
  assertEquals(asked, ["0:9", "0:3"]);
});

Deno.test("Commits fails at an error that it does not know, instead of repeating it for ever", async () => {
  const { asked, commit, fail } = coordinator();
  const failing = commit({ 0: 5 });
  fail(new Error("what is this"));
  await assertRejects(
    () => failing,
    KafkaError,
    'Cannot commit the positions of group "g": what is this',
  );
  assertEquals(asked, ["0:5"]);
});

Deno.test("Commits repeats nothing when the generation has ended meanwhile, and waits no more", async () => {
  const { clock, commits, asked, commit, fail } = coordinator();
  let isCurrent = true;
  const committing = commit({ 0: 5 }, () => isCurrent);
  fail();
  await clock.tick(0);
  isCurrent = false;
  commits.generationEnded();
  assertEquals([await committing, asked, clock.pending], ["fenced", ["0:5"], 0]);
});
