import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { CommitWatch } from "../../scripts/soak/commits.ts";
import {
  KEYS,
  messageOf,
  parseResult,
  PARTITIONS,
  resultOf,
  truth,
} from "../../scripts/soak/messages.ts";
import { OutputCheck } from "../../scripts/soak/outputs.ts";
import { type Bounds, type Outcome, verdict } from "../../scripts/soak/verdict.ts";
import { growthOf } from "../../scripts/soak/vitals.ts";
import { EngineWorld } from "../_support/engine_world.ts";
import { brokers, kafkaTest } from "../_support/kafka.ts";
import { temporaryFolder } from "../_support/temporary.ts";

/** Lets a check see outputs of one partition and key, as `n` or `[n, count]`. */
function seen(...results: (number | [n: number, count: number])[]) {
  const check = new OutputCheck();
  for (const [offset, result] of results.entries()) {
    const [n, count] = typeof result === "number" ? [result, result] : result;
    check.see({ key: "k", value: resultOf(`${n}`, count), partition: 0, offset });
  }
  return check.findings;
}

Deno.test("messageOf() numbers the messages of each key, and truth() counts them", () => {
  const sent = 2 * KEYS + 3;
  const counts = new Map<string, number>();
  for (let number = 0; number < sent; number++) {
    const { key, value, partition } = messageOf(number);
    counts.set(key, (counts.get(key) ?? 0) + 1);
    assertEquals(parseResult(resultOf(value, 7)), { n: counts.get(key)!, count: 7 });
    assert(partition >= 0 && partition < PARTITIONS);
  }
  assertEquals(truth(sent), counts);
  assertEquals(truth(2).size, 2);
});

Deno.test("messageOf() and truth() take another number of keys", () => {
  const keys = [0, 1, 2, 3, 4, 5, 6].map((number) => messageOf(number, 3).key);
  assertEquals(keys, ["key 0", "key 1", "key 2", "key 0", "key 1", "key 2", "key 0"]);
  assertEquals([...truth(7, 3).values()], [3, 2, 2]);
});

Deno.test("OutputCheck finds nothing wrong in outputs that come in order, also more than once", () => {
  assertEquals(seen(1, 2, 3), { found: 3, again: 0, faults: [] });
  assertEquals(seen(1, 2, 3, 2, 3, 4), { found: 4, again: 2, faults: [] });
});

Deno.test("OutputCheck finds outputs that are lost, out of order or wrong", () => {
  const follows = (n: number, last: number) =>
    `output ${n} of "k" follows ${last}: lost, or out of order`;
  assertEquals(seen(1, 3).faults, [follows(3, 1)]);
  assertEquals(seen(2, 1, 3).faults, [follows(2, 0)]);
  assertEquals(seen(1, [2, 3]).faults, ['message 2 of "k" was counted as 3']);
  // What is sent again after a crash must have the right count, too.
  assertEquals(seen(1, 2, [2, 3]).faults, ['message 2 of "k" was counted as 3']);
});

Deno.test("OutputCheck sees a record once, and what the readers of its topic pass over", () => {
  const check = new OutputCheck();
  const see = (offset: number, n: number) =>
    check.see({ key: "k", value: resultOf(`${n}`, n), partition: 1, offset });
  see(0, 1);
  see(1, 2);
  see(0, 1); // the other member, from the last commit on
  see(1, 2);
  assertEquals(check.findings, { found: 2, again: 0, faults: [] });
  see(4, 3);
  assertEquals(check.findings.faults, ["its readers passed over 1:2 to 1:3"]);
});

Deno.test("CommitWatch measures the longest time that something done waited for a commit", () => {
  let now = 0;
  const watch = new CommitWatch(() => now);
  const at = (time: number, what?: "delivered" | "committed") => {
    now = time;
    if (what) watch[what]();
    return watch.longestMs;
  };
  at(0, "delivered");
  assertEquals(at(500, "delivered"), 500);
  assertEquals(at(900, "committed"), 900);
  assertEquals(at(60_000), 900); // nothing waits
  at(60_000, "delivered");
  assertEquals(at(61_000), 1_000); // the gap that goes on
  at(62_000, "committed");
  assertEquals([watch.commits, watch.longestMs], [2, 2_000]);
});

Deno.test("growthOf() fits a line to all but the first third, and tells how sure it is", () => {
  const line = Array.from({ length: 60 }, (_, i) => ({ x: i, y: i < 20 ? 1e9 : 5 * i }));
  const { perMinute, error, minutes } = growthOf(line);
  assertEquals(minutes, 39);
  assertAlmostEquals(perMinute, 5);
  assertAlmostEquals(error, 0);
  const noise = growthOf(line.map(({ x }) => ({ x, y: Math.floor(x / 5) % 2 === 0 ? 1 : -1 })));
  assert(Math.abs(noise.perMinute) < 2 * noise.error);
  assertEquals(growthOf(line.slice(0, 20)).perMinute, NaN);
});

Deno.test("growthOf() takes what is in flight now and then for no growth", () => {
  const { perMinute, error } = growthOf(
    Array.from(
      { length: 60 },
      (_, i) => ({ x: i, y: i % 7 === 0 || i > 40 && i % 2 === 0 ? 9 : 1 }),
    ),
  );
  assertEquals([perMinute, error], [0, 0]);
});

/** The growth of a figure of a process. */
function grown(figure: string, perMinute: number, error: number, minutes: number) {
  return { growth: new Map([["checking", new Map([[figure, { perMinute, error, minutes }]])]]) };
}

const bounds: Bounds = {
  gapMs: 10_000,
  heap: { inAll: 2_000, perMinute: 500 },
  handles: { inAll: 10, perMinute: 1 },
};
const good: Outcome = {
  sent: 2,
  findings: { found: 2, again: 0, faults: [] },
  counts: new Map([["a", 1], ["b", 1]]),
  truth: new Map([["a", 1], ["b", 1]]),
  uncommitted: 0,
  commits: 60,
  longestGapMs: 1_100,
  came: 5,
  growth: new Map(),
};

const bad: [name: string, change: Partial<Outcome>, line: string][] = [
  [
    "an output is missing",
    { findings: { found: 1, again: 0, faults: [] } },
    "lost: 1 of 2 messages have no output",
  ],
  [
    "an output is wrong",
    { findings: { found: 2, again: 0, faults: ["so it is"] } },
    "wrong: so it is",
  ],
  [
    "a count is wrong",
    { counts: new Map([["a", 2], ["b", 1]]) },
    'wrong: "a" was sent 1 times, the cache says 2',
  ],
  [
    "a key is missing",
    { counts: new Map([["a", 1]]) },
    'wrong: "b" was sent 1 times, the cache says 0',
  ],
  [
    "a key was never sent",
    { counts: new Map([["a", 1], ["b", 1], ["c", 1]]) },
    "wrong: the cache has 1 keys that were never sent",
  ],
  ["messages are not committed", { uncommitted: 3 }, "3 messages are not committed at the end"],
  ["nothing was committed", { commits: 0 }, "nothing was committed"],
  [
    "a commit came late",
    { longestGapMs: 10_001 },
    "messages waited 10001 ms for a commit: at most 10000 are allowed",
  ],
  ["no member came", { came: 0 }, "no member came"],
  [
    "a heap grows",
    grown("heap", 3_000, 100, 1),
    "heap of checking grew by 3000 in 1.0 minutes: at most 2000 are allowed",
  ],
  [
    "a heap grows slowly, and long",
    grown("heap", 600, 20, 10),
    "heap of checking grew by 6000 in 10.0 minutes: at most 5000 are allowed",
  ],
  [
    "handles are left open",
    grown("handles", 50, 1, 1),
    "handles of checking grew by 50 in 1.0 minutes: at most 10 are allowed",
  ],
];

Deno.test("verdict() says nothing of a run in which nothing is wrong", () => {
  for (
    const growth of [
      grown("heap", 1_900, 0, 1), // it warms up
      grown("heap", 400, 0, 10),
      grown("heap", 10_000, 4_000, 1), // noise
      grown("heap", NaN, NaN, 0), // too short to tell
    ]
  ) {
    assertEquals(verdict({ ...good, ...growth }, bounds), []);
  }
});

for (const [name, change, line] of bad) {
  Deno.test(`verdict() fails a run in which ${name}`, () => {
    assertEquals(verdict({ ...good, ...change }, bounds), [line]);
  });
}

/** Runs a script; returns its last line and its code. */
async function outcome(script: string, args: string[], env: Record<string, string> = {}) {
  const program = new URL(`../../scripts/${script}`, import.meta.url).pathname;
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", program, ...args],
    env,
  }).output();
  return `${code} ${new TextDecoder().decode(stderr).trim().split("\n").at(-1)}`;
}

Deno.test("soak and crash:kafka refuse numbers that they cannot use", async () => {
  assertEquals(
    await outcome("soak.ts", ["--minutes", "no"]),
    '2 Cannot soak for "no" minutes: use a number > 0 and <= 1440',
  );
  assertEquals(
    await outcome("crash_kafka.ts", ["--rounds", "0"]),
    '2 Cannot run "0" rounds: use a whole number > 0',
  );
  assertEquals(
    await outcome("crash_kafka.ts", ["--seed=-1"]),
    '2 Cannot begin with the seed "-1": use a whole number >= 0',
  );
});

Deno.test("soak and crash:kafka say so where there is no way to a broker", async () => {
  await using world = await EngineWorld.make([], ["java"]);
  for (const script of ["soak.ts", "crash_kafka.ts"]) {
    const said = await outcome(script, [], { ...world.env, KAFKA_BROKERS: "" });
    assert(
      said.startsWith("1 FAILED: No Kafka broker can be started here: set KAFKA_BROKERS"),
      said,
    );
  }
  assertEquals(world.leftovers(), []);
});

kafkaTest("soak that is interrupted ends at once and leaves nothing behind", async () => {
  await using folder = await temporaryFolder();
  const program = new URL("../../scripts/soak.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", program, "--minutes", "5"],
    env: { KAFKA_BROKERS: brokers.join(), TMPDIR: folder.path },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const said = new Response(child.stderr).text();
  const reader = child.stdout.getReader();
  await reader.read(); // it has started
  child.kill("SIGTERM");
  while (!(await reader.read()).done);
  const { code } = await child.status;
  assertEquals([code, (await said).trim()], [1, "FAILED: stopped by SIGTERM"]);
  assertEquals([...Deno.readDirSync(folder.path)], []);
});
