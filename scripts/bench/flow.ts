/** The engine beside a bare loop that makes the same calls; `peer/flow.py` has the same work in Python. */
import { App, Proxy } from "@slipstream/slipstream";
import type { Benchmark } from "./benchmark.ts";

const COUNT = 1_000_000;
const PEER_COUNT = 100_000;

/** Adds up what the sinks get, so that every round proves that it did the work. */
class Sum {
  total = 0;
  readonly add = (n: number): void => {
    this.total += n;
  };
  // deno-lint-ignore require-await
  readonly addAsync = async (n: number): Promise<void> => {
    this.total += n;
  };
  check(expected: number): void {
    if (this.total !== expected) {
      throw new Error(`The sinks got ${this.total}, not ${expected}`);
    }
  }
}

async function* numbers(count: number): AsyncGenerator<number, void> {
  for (let n = 0; n < count; n++) yield n;
}

const double = (n: number): number => n * 2;
const doubled = (count: number): number => count * (count - 1);

const plain: Benchmark = {
  name: "flow/plain",
  count: COUNT,
  peerCount: PEER_COUNT,
  goals: { floor: 0.6, peer: 18 },
  async ours(count) {
    const sum = new Sum();
    const app = new App();
    app.handle(numbers(count), double, { sink: sum.add });
    await app.stream();
    sum.check(doubled(count));
  },
  async floor(count) {
    const sum = new Sum();
    for await (const n of numbers(count)) sum.add(double(n));
    sum.check(doubled(count));
  },
};

// deno-lint-ignore require-await
const doubleAsync = async (n: number): Promise<number> => n * 2;

const asynchronous: Benchmark = {
  name: "flow/async",
  count: COUNT,
  peerCount: PEER_COUNT,
  goals: { floor: 0.5, peer: 12 },
  async ours(count) {
    const sum = new Sum();
    const app = new App();
    app.handle(numbers(count), doubleAsync, { sink: sum.addAsync });
    await app.stream();
    sum.check(doubled(count));
  },
  async floor(count) {
    const sum = new Sum();
    for await (const n of numbers(count)) await sum.addAsync(await doubleAsync(n));
    sum.check(doubled(count));
  },
};

function* doubleGenerator(n: number): Generator<number, void> {
  yield n * 2;
}

const generator: Benchmark = {
  name: "flow/generator",
  count: COUNT,
  peerCount: PEER_COUNT,
  goals: { floor: 0.6, peer: 15 },
  async ours(count) {
    const sum = new Sum();
    const app = new App();
    app.handle(numbers(count), doubleGenerator, { sink: sum.add });
    await app.stream();
    sum.check(doubled(count));
  },
  async floor(count) {
    const sum = new Sum();
    for await (const n of numbers(count)) {
      for (const output of doubleGenerator(n)) sum.add(output);
    }
    sum.check(doubled(count));
  },
};

let elements: number[] = [];

const array: Benchmark = {
  name: "flow/array",
  count: COUNT,
  peerCount: PEER_COUNT,
  goals: { peer: 30 },
  async ours(count) {
    if (elements.length !== count) elements = Array.from({ length: count }, (_, n) => n); // in the warm-up
    const sum = new Sum();
    const app = new App();
    app.handle(elements, double, { sink: sum.add });
    await app.stream();
    sum.check(doubled(count));
  },
};

const fanout: Benchmark = {
  name: "flow/fanout",
  count: COUNT,
  peerCount: PEER_COUNT / 2,
  goals: { peer: 10 },
  async ours(count) {
    const sum = new Sum();
    const app = new App();
    const source = numbers(count);
    for (const by of [1, 2, 3, 4]) app.handle(source, (n) => n * by, { sink: sum.add });
    await app.stream();
    sum.check(5 * doubled(count));
  },
};

const proxy: Benchmark = {
  name: "flow/proxy",
  count: COUNT,
  peerCount: PEER_COUNT / 2,
  goals: { peer: 4 },
  async ours(count) {
    const sum = new Sum();
    const app = new App();
    const between = new Proxy<number>();
    app.handle(between, (n) => n + 1, { sink: sum.add });
    app.handle(numbers(count), double, { sink: between });
    await app.stream();
    sum.check(doubled(count) + count);
  },
};

/** The benchmarks of the engine. */
export const flow: readonly Benchmark[] = [plain, asynchronous, generator, array, fanout, proxy];
