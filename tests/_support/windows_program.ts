/**
 * The program that `windows/kill_test.ts` kills: counts and adds up the messages of a file of JSON lines in tumbling
 * windows, with exact state on disk, and appends each result to another file. Arguments: input, output, path of the
 * cache, how the messages come ("direct", "merge": from one source for even lines and one for odd ones, or "proxy"),
 * "end" if the input is complete, else it waits at its end; and how many messages are handled at the same time, each for
 * a random time before the window, as are results behind it.
 */
import { App, Cache, map, merge, Proxy, replayable } from "../../mod.ts";
import { count, sum, tumbling } from "../../src/windows/mod.ts";

export interface Line {
  readonly key: string;
  readonly timestamp: number;
  readonly amount: number;
}

const [input, output, path, way, complete, most] = Deno.args as string[] as [
  string,
  string,
  string,
  string,
  string?,
  string?,
];
const max = Number(most ?? 1);
const wait = async () => {
  if (max > 1) await new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
};
const lines: Line[] = (await Deno.readTextFile(input)).trim().split("\n").map((line) =>
  JSON.parse(line)
);

const sourceOf = (name: string, lines: readonly Line[]) =>
  replayable({
    name,
    async *read(from: number = 0, signal) {
      for (let next = from; next < lines.length; next++) {
        if (next % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
        yield { ...lines[next]!, next: next + 1 };
      }
      if (complete === "end") return;
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    },
    position: ({ next }) => next,
  });
const half = (rest: number) => lines.filter((_, n) => n % 2 === rest);
const proxy = new Proxy<Line & { readonly next: number }>();
const source = way === "proxy"
  ? proxy
  : way === "merge"
  ? merge(sourceOf("even", half(0)), sourceOf("odd", half(1)))
  : sourceOf("lines", lines);

await using state = await Cache.open<number>(path, { maxBytes: Infinity });
const app = new App({
  commit: { interval: 20 },
  onStatus: ({ type }) => {
    if (type === "started") console.log("started");
  },
});
if (way === "proxy") {
  app.handle(sourceOf("lines", lines), (line) => line, { name: "pass", state, sink: proxy });
}
app.handle(
  source,
  map(max > 1 ? (line) => wait().then(() => line) : (line) => line),
  tumbling({
    size: { seconds: 10 },
    outOfOrderness: { seconds: 2 },
    idle: "hold",
    maxAhead: Infinity,
    into: { n: count(), total: sum((line) => line.amount) },
  }),
  async ({ id, revision, final, value }) => {
    await wait();
    await state.update(["given", id, revision], (times = 0) => times + 1);
    return { id, revision, final, value };
  },
  {
    name: "count",
    state,
    concurrency: max > 1 ? { max, by: "none" } : undefined,
    sink: (result) =>
      Deno.writeTextFileSync(output, JSON.stringify(result) + "\n", { append: true }),
  },
);
await app.stream();
for await (const [key, times] of state.entries({ prefix: ["given"] })) {
  if (times !== 1) throw new Error(`${key} was given ${times} times`);
}
