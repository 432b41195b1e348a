/**
 * Kills a process that writes to a Cache, at random moments, and looks at what is left:
 * `deno task crash:cache [--rounds N]`.
 *
 * The child writes numbered steps: single entries and transactions over several keys, up to 1 MB, with
 * overwrites and deletions. It prints the number of a step once that is durable. After SIGKILL the store
 * must hold exactly what the first n steps make, for some n that is not below the last printed one.
 */
import { Cache, type Key } from "@slipstream/slipstream";

const [mode, ...rest] = Deno.args;
if (mode === "write") await write(rest[0]!, Number(rest[1]));
else await main(mode === "--rounds" ? Number(rest[0]) : 50);

type Content = Map<string, string>;

/** Every step can be computed from its number, so nothing has to be remembered to check it. */
function stepOf(number: number): { key: Key; text: string | undefined }[] {
  const random = (salt: number) => {
    let x = Math.imul(number * 8 + salt + 1, 0x9e3779b1);
    x = Math.imul(x ^ (x >>> 15), 0x85ebca6b);
    return (x ^ (x >>> 13)) >>> 0;
  };
  const sizes = [20, 20, 20, 20, 200, 200, 3_000, 30_000, 200_000, 1_000_000];
  const size = sizes[random(0) % 100 < 98 ? random(1) % 7 : 7 + random(1) % 3]!;
  const text = `${number}:`.padEnd(size, String.fromCharCode(97 + number % 26));
  const kind = random(2) % 10;
  if (kind === 0) return [{ key: random(3) % 500, text: undefined }];
  if (kind > 2) return [{ key: random(3) % 500, text }];
  const keys = Array.from({ length: 2 + random(4) % 20 }, (_, i) => (random(5) + i * 7) % 500);
  return [...new Set(keys)].map((key) => ({ key: ["t", key], text }));
}

/** The child: goes on at step `from` and prints what is durable. */
async function write(path: string, from: number): Promise<void> {
  const cache = await Cache.open<string>(path, { maxBytes: Infinity, flushInterval: 10 });
  let durable = Promise.resolve();
  for (let number = from;; number++) {
    const step = stepOf(number);
    const [first] = step;
    if (step.length > 1) {
      await cache.transaction(step.map(({ key }) => key), (tx) => {
        for (const { key, text } of step) tx.set(key, text!);
      });
    } else if (first!.text === undefined) await cache.delete(first!.key);
    else await cache.set(first!.key, first!.text);
    await cache.space("steps").set("last", [number, Date.now()]);
    if (number % 7 === 0) {
      durable = durable.then(() => cache.flush()).then(() => print(`${number}\n`));
      if (number % 70 === 0) await durable;
    }
  }
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

async function main(rounds: number): Promise<void> {
  if (!(Number.isInteger(rounds) && rounds > 0)) {
    throw new RangeError("--rounds needs a number > 0");
  }
  const folder = await Deno.makeTempDir();
  const path = `${folder}/db`;
  const content: Content = new Map();
  const total = { acknowledged: 0, lost: 0, torn: 0 };
  let next = 0;
  try {
    for (let round = 1; round <= rounds; round++) {
      // Every third one within its start, the first one while it makes the file.
      const starting = round % 3 === 1;
      const ms = starting ? Math.random() * 400 : 30 + Math.random() * 600;
      const { acknowledged, killedAt } = await runAndKill(path, next, ms, starting);
      const left = await check(path, content, next, acknowledged);
      total.acknowledged += Math.max(0, acknowledged - next + 1);
      total.lost += left.lost;
      total.torn += left.torn;
      next = left.next;
      const beyond = left.next - 1 - acknowledged;
      print(`round ${round}: ${acknowledged} acknowledged, ${beyond} more survived, `);
      print(`the last ${killedAt - left.time} ms did not, opened in ${left.openMs} ms\n`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  const { acknowledged, lost, torn } = total;
  print(`rounds ${rounds}, acknowledged ${acknowledged}, lost ${lost}, torn ${torn}\n`);
  if (lost + torn > 0) Deno.exit(1);
}

/** Runs the child, kills it a while after its start or its first word, and returns the last step it called durable. */
async function runAndKill(path: string, from: number, ms: number, starting: boolean) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--unstable-kv", import.meta.filename!, "write", path, String(from)],
    stdout: "piped",
  }).spawn();
  let acknowledged = from - 1;
  let killedAt = 0;
  const killLater = () =>
    setTimeout(() => {
      killedAt = Date.now();
      child.kill("SIGKILL");
    }, ms);
  let kill = starting ? killLater() : undefined;
  const decoder = new TextDecoderStream();
  let partial = "";
  for await (const text of child.stdout.pipeThrough(decoder)) {
    kill ??= killLater();
    const lines = (partial + text).split("\n");
    partial = lines.pop()!;
    if (lines.length > 0) acknowledged = Number(lines.at(-1));
  }
  clearTimeout(kill);
  const { signal } = await child.status;
  if (signal !== "SIGKILL") throw new Error("the child ended before it was killed");
  return { acknowledged, killedAt };
}

/** Opens what is left and compares it with what the steps make; leaves `content` at the state found. */
async function check(path: string, content: Content, from: number, acknowledged: number) {
  const started = performance.now();
  await using cache = await Cache.open<string>(path, { maxBytes: Infinity });
  const openMs = Math.round(performance.now() - started);
  const steps = cache.space<[number: number, time: number]>("steps");
  const [last, time] = await steps.get("last", [-1, Date.now()] as const);
  for (let number = from; number <= last; number++) {
    for (const { key, text } of stepOf(number)) {
      if (text === undefined) content.delete(nameOf(key));
      else content.set(nameOf(key), text);
    }
  }
  let torn = 0;
  const found = new Set<string>();
  // The position is written after each step: of the one after it the entries may be there too.
  const after = new Map(stepOf(last + 1).map(({ key, text }) => [nameOf(key), text]));
  let ahead = 0;
  for await (const [key, text] of cache.entries()) {
    const name = nameOf(key);
    found.add(name);
    if (content.get(name) === text) continue;
    if (after.get(name) === text) ahead++;
    else torn++;
  }
  for (const name of content.keys()) {
    if (found.has(name)) continue;
    if (after.has(name) && after.get(name) === undefined) ahead++;
    else torn++;
  }
  // All of the step beyond the position, or nothing of it.
  if (ahead > 0 && ahead !== after.size) torn++;
  if (ahead > 0) {
    for (const [name, text] of after) {
      text === undefined ? content.delete(name) : content.set(name, text);
    }
  }
  const next = last + 1 + (ahead > 0 ? 1 : 0);
  return { next, lost: Math.max(0, acknowledged - last), torn, time, openMs };
}

function nameOf(key: Key): string {
  return JSON.stringify(key);
}
