/** What it costs to be looked at: the floor is the same app without an observer. */
import { App } from "@slipstream/slipstream";
import { type Observer, observer } from "@slipstream/slipstream/observe";
import type { Benchmark } from "./benchmark.ts";

const COUNT = 5_000_000;

async function* numbers(count: number): AsyncGenerator<number, void> {
  for (let n = 0; n < count; n++) yield n;
}

/** Streams `count` messages, while `look` may look at the app. */
async function run(count: number, look?: (app: App) => Observer): Promise<void> {
  let total = 0;
  const app = new App();
  app.handle(numbers(count), (n) => n * 2, { name: "double", sink: (n) => void (total += n) });
  using _seen = look?.(app);
  await app.stream();
  if (total !== count * (count - 1)) throw new Error(`The sink got ${total}`);
}

/** Reads the status as the page does. */
function watch(app: App): Observer {
  const seen = observer(app);
  void seen.fetch(new Request("http://localhost/status")).then(async ({ body }) => {
    for await (const _ of body!) { /* the page would draw it */ }
  });
  return seen;
}

/** The benchmarks of an app that is observed. */
export const observe: readonly Benchmark[] = [{
  name: "observe/unwatched",
  count: COUNT,
  goals: { floor: 0.98 },
  ours: (count) => run(count, (app) => observer(app)),
  floor: (count) => run(count),
}, {
  name: "observe/watched",
  count: COUNT,
  goals: { floor: 0.95 },
  ours: (count) => run(count, watch),
  floor: (count) => run(count),
}];
