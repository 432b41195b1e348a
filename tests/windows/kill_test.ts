import { assertEquals } from "@std/assert";
import { Random } from "../../src/testing/mod.ts";
import { temporaryFolder } from "../_support/temporary.ts";
import type { Line } from "../_support/windows_program.ts";

const MESSAGES = 40_000;
const SIZE = 10_000;
const OUT_OF_ORDER = 2_000;

for (const way of ["direct", "merge", "proxy"] as const) {
  const name = { direct: "", merge: " of two sources", proxy: " behind a Proxy" }[way];
  Deno.test(`each message${name} is in its window once though the program is killed again and again`, () =>
    killed(way, MESSAGES));
}

Deno.test("each message is in its window once though the program is killed while it handles several", () =>
  killed("direct", MESSAGES / 4, 32));

async function killed(
  way: "direct" | "merge" | "proxy",
  messages: number,
  max = 1,
): Promise<void> {
  await using folder = await temporaryFolder();
  const [input, output, path] = ["input", "output", "state"].map((name) =>
    `${folder.path}/${name}`
  );
  const random = new Random(7);
  const lines = Array.from({ length: messages }, (_, n): Line => ({
    key: `key ${random.integer(50)}`,
    timestamp: n * 10 + 100_000 - random.integer(4_000),
    amount: random.integer(100),
  }));
  await Deno.writeTextFile(input!, lines.map((line) => JSON.stringify(line) + "\n").join(""));
  await Deno.writeTextFile(output!, "");

  const most = way === "direct" ? 6 : 3;
  let kills = 0;
  for (let life = 0; life < most; life++) {
    const { child, started } = start(input!, output!, path!, way, "more", String(max));
    await started;
    await new Promise((resolve) => setTimeout(resolve, 20 + random.integer(150)));
    child.kill("SIGKILL");
    if ((await child.status).signal === "SIGKILL") kills++;
  }
  assertEquals(kills, most);
  const { child, started } = start(input!, output!, path!, way, "end", String(max));
  await started;
  assertEquals((await child.status).code, 0);

  const contents = new Map<string, string>();
  const last = new Map<string, { revision: number; value: unknown }>();
  for (const line of (await Deno.readTextFile(output!)).trim().split("\n")) {
    const { id, revision, value } = JSON.parse(line);
    const known = contents.get(`${id} ${revision}`);
    contents.set(`${id} ${revision}`, JSON.stringify(value));
    if (known !== undefined) assertEquals(JSON.stringify(value), known); // one content
    if ((last.get(id)?.revision ?? 0) <= revision) last.set(id, { revision, value });
  }
  const found = new Map([...last].map(([id, { value }]) => [id, value]));
  if (way !== "merge") return assertEquals(found, expected(lines));
  // Each source has its own windows.
  const half = (rest: number) => lines.filter((_, n) => n % 2 === rest);
  assertEquals(found, new Map([...expected(half(0), "even:0"), ...expected(half(1), "odd:0")]));
}

/** Computed from the order of the input alone. */
function expected(lines: readonly Line[], partition = "0"): Map<string, unknown> {
  const windows = new Map<string, { n: number; total: number }>();
  let greatest = -Infinity;
  for (const { key, timestamp, amount } of lines) {
    const start = timestamp - timestamp % SIZE;
    if (greatest - OUT_OF_ORDER < start + SIZE) {
      const window = windows.getOrInsertComputed(
        `${partition}/${encodeURIComponent(key)}/${start}`,
        () => ({ n: 0, total: 0 }),
      );
      window.n++;
      window.total += amount;
    }
    greatest = Math.max(greatest, timestamp);
  }
  return windows;
}

function start(...args: string[]) {
  const script = new URL("../_support/windows_program.ts", import.meta.url).href;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--unstable-kv", script, ...args],
    stdout: "piped",
  }).spawn();
  const told = Promise.withResolvers<void>();
  const reading = child.stdout.pipeTo(new WritableStream({ write: () => told.resolve() }));
  return { child, started: Promise.race([told.promise, reading]) };
}
