/**
 * Topic → tumbling windows with exact state, on a real broker: 10,000 keys in four partitions, windows of ten seconds, a
 * count and a sum. The floor is the same job by hand, in a handler with a Cache; the peer is Quix Streams. What is
 * measured begins with the first message; ours and the floor end with the last commit.
 */
import { App, Cache, JsonCodec } from "@slipstream/slipstream";
import type { Message } from "@slipstream/slipstream/kafka";
import { count, sum, tumbling } from "@slipstream/slipstream/windows";
import type { Benchmark } from "./benchmark.ts";
import { open, PARTITIONS } from "./topic.ts";

const COUNT = 400_000;
const KEYS = 10_000;
const SIZE = 10_000;
/** Messages in a millisecond. */
const DENSITY = 20;

interface Reading {
  amount: number;
}
interface Totals {
  n: number;
  total: number;
}
type Read = Message<string, Reading>;
/** Streams messages into windows until `add` has had all of them; `begin` is called for each message. */
type Job = (
  app: App,
  source: ReturnType<typeof topicOf>,
  state: Cache<Totals>,
  counting: { begin: () => void; add: (totals: Totals) => void },
) => void;

function topicOf(name: string) {
  return open<Reading>(name, { codec: new JsonCodec<Reading>() });
}

/** Windows of `count` messages, of which each has as many of a key as another. */
function windowsOf(count: number): number {
  return Math.ceil(count / DENSITY / SIZE) * KEYS;
}

/** Creates the topic, unless it is there: `count` messages, and one of each key that closes what is open. */
async function seed(messages: number): Promise<string> {
  const name = `bench-windows-${messages}`;
  await using topic = topicOf(name);
  if (!await topic.ensure({ partitions: PARTITIONS })) return name;
  const now = Date.now();
  const begin = now - now % SIZE - 2 * (messages / DENSITY + SIZE);
  function* readings() {
    for (let n = 0; n < messages + KEYS; n++) {
      const after = n < messages ? n / DENSITY : messages / DENSITY + SIZE;
      const timestamp = begin + Math.floor(after);
      yield { key: `key ${n % KEYS}`, value: { amount: n % 100 }, timestamp };
    }
  }
  const app = new App();
  app.handle(readings(), (reading) => reading, { sink: topic });
  await app.stream();
  return name;
}

/** Runs a job over the topic and returns the milliseconds; throws unless each message was in one window. */
async function run(messages: number, job: Job): Promise<number> {
  const name = await seed(messages);
  const folder = await Deno.makeTempDir();
  try {
    await using source = topicOf(name);
    await using state = await Cache.open<Totals>(`${folder}/state`, { maxBytes: Infinity });
    const app = new App();
    let started = 0, ended = 0, n = 0, windows = 0;
    const begin = () => {
      started ||= performance.now();
    };
    const add = (totals: Totals) => {
      windows++;
      if ((n += totals.n) === messages) app.close();
    };
    job(app, source, state, { begin, add });
    app.onExit(() => ended = performance.now());
    await app.stream();
    if (n !== messages || windows !== windowsOf(messages)) {
      throw new Error(`${n} of ${messages} messages were in ${windows} windows`);
    }
    return ended - started;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const windowed: Job = (app, source, state, { begin, add }) => {
  const amount = ({ value }: Read) => {
    begin();
    return value.amount;
  };
  const window = tumbling({ size: SIZE, into: { n: count(), total: sum(amount) } });
  app.handle(source, window, ({ value }) => value, { name: "windows", state, sink: add });
};

/** What one would write without windows; it knows nothing of silence, and gives results before they are on disk. */
const byHand: Job = (app, source, state, { begin, add }) => {
  const open = new Map<number, number>();
  app.handle(source, async ({ key, value, partition, timestamp }) => {
    begin();
    const start = timestamp - timestamp % SIZE;
    let closed: Totals[] | undefined;
    const before = open.get(partition) ?? start;
    if (before < start) {
      closed = [];
      for await (const [key, totals] of state.entries({ prefix: [partition, before] })) {
        closed.push(totals);
        await state.delete(key);
      }
    }
    open.set(partition, start);
    const of = [partition, start, key!];
    const totals = await state.get(of, { n: 0, total: 0 });
    await state.set(of, { n: totals.n + 1, total: totals.total + value.amount });
    return closed;
  }, { name: "by hand", state, sink: (closed) => closed.forEach(add) });
};

/** Windows over a topic. */
export const windowsTopic: readonly Benchmark[] = [{
  name: "windows/topic",
  count: COUNT,
  goals: { floor: 0.8, peer: 2.5 },
  ours: (count) => run(count, windowed),
  floor: (count) => run(count, byHand),
  rival: {
    program: "quix",
    request: async (messages) => ({
      source: await seed(messages),
      size: SIZE,
      messages,
      results: windowsOf(messages),
    }),
  },
}];
