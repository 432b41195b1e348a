/** Long runs whose heap must stay flat. */
import { App, Proxy } from "@slipstream/slipstream";
import { delay } from "@std/async/delay";
import type { MemoryRun } from "./benchmark.ts";

async function* objects(count: number): AsyncGenerator<{ n: number }, void> {
  for (let n = 0; n < count; n++) yield { n };
}

/** A source that is always ready before a sink that waits: whatever read ahead would pile up. */
const slowSink: MemoryRun = {
  name: "memory/slow-sink",
  count: 10_000_000,
  async run(count, seen) {
    const app = new App();
    app.handle(objects(count), ({ n }) => ({ n, twice: n * 2 }), {
      sink: async ({ n }) => {
        if (n % 1_000 === 0) await delay(1);
        seen();
      },
    });
    await app.stream();
  },
};

/** A writer that is faster than the reader behind a Proxy: the queue must stay within its bound. */
const throughProxy: MemoryRun = {
  name: "memory/proxy",
  count: 3_000_000,
  async run(count, seen) {
    const app = new App();
    const proxy = new Proxy<{ n: number }>();
    app.handle(objects(count), (message) => message, { sink: proxy });
    app.handle(proxy, ({ n }) => n, {
      sink: async (n) => {
        if (n % 1_000 === 0) await delay(1);
        seen();
      },
    });
    await app.stream();
  },
};

/** The memory runs of the engine. */
export const memory: readonly MemoryRun[] = [slowSink, throughProxy];
