import { assertEquals } from "@std/assert";
import { App, MemoryCache, Proxy } from "../../mod.ts";
import { currentMessage } from "../../src/flow/run/attribution.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { add, numbers } from "../_support/numbers.ts";

type State = MemoryCache<number>;

/** Adds 1 to an entry when `go` resolves; returns what became of it. */
async function addAfter(go: Promise<void>, state: State, key: string): Promise<string> {
  try {
    await state.update(key, async (sum = 0) => {
      await go;
      return sum + 1;
    });
    return "written";
  } catch (error) {
    return (error as Error).message.split(":")[0]!;
  }
}

for (const policy of ["retry", "deadLetter", "function"] as const) {
  Deno.test(`a write of a call that has failed is refused, wherever it lands: ${policy}`, async () => {
    await using state: State = new MemoryCache({ maxBytes: Infinity });
    const app = new App();
    const [failed, landed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const late: Promise<string>[] = [];
    /** Lets the write of the first call land, before what follows on the failure goes on. */
    const land = async () => {
      failed.resolve();
      await Promise.all(late);
      landed.resolve();
    };
    app.handle(numbers(1).source, async (_, { attempt }) => {
      if (attempt > 1) {
        await land();
        return await add(state, "sum", 1);
      }
      late.push(addAfter(failed.promise, state, "sum"));
      await settle();
      throw new Error("invalid");
    }, {
      name: "sum",
      state,
      onError: policy === "retry"
        ? { retry: { attempts: 1, minDelay: 0 } }
        : policy === "deadLetter"
        ? { deadLetter: land }
        : async () => {
          await land();
          return "skip" as const;
        },
    });
    await app.stream();
    await landed.promise;
    assertEquals(await Promise.all(late), [
      'Cannot write to a cache for a call of flow "sum" that has failed',
    ]);
    assertEquals(await state.get("sum", 0), policy === "retry" ? 1 : 0);
  });
}

for (const at of ["a wait of its own", "a slow sink"] as const) {
  Deno.test(`what a generator writes when it is closed at its limit is taken back: ${at}`, async () => {
    const clock = new ManualClock();
    await using state: State = new MemoryCache({ maxBytes: Infinity });
    const app = new App({ clock });
    const wait = (ms: number) => new Promise<void>((resolve) => clock.timer(resolve, ms));
    const isSlow = (n: number, attempt: number) => n === 2 && attempt < 3;
    app.handle(numbers(3).source, async function* ({ n }, { attempt }) {
      try {
        yield at === "a slow sink" && isSlow(n, attempt) ? 200 : 0;
        if (at !== "a slow sink") await wait(isSlow(n, attempt) ? 200 : 1);
        yield 0;
      } finally {
        await add(state, "closed", 1);
      }
    }, {
      name: "sum",
      state,
      handlerTimeout: 100,
      onError: { retry: { attempts: 2, minDelay: 0 } },
      sink: wait,
    });
    let ended = false;
    const streaming = app.stream().finally(() => ended = true);
    while (!ended) await clock.tick(10);
    await streaming;
    assertEquals(await state.get("closed"), 3);
  });
}

Deno.test("what a handler writes while a sink fails stays, and what the sink wrote does not", async () => {
  await using state: State = new MemoryCache({ maxBytes: Infinity });
  const app = new App();
  const sinking = Promise.withResolvers<void>();
  app.handle(numbers(1).source, async function* ({ n }) {
    const counted = addAfter(sinking.promise, state, "handled");
    yield n;
    assertEquals(await counted, "written");
  }, {
    name: "sum",
    state,
    onError: "skip",
    sink: async () => {
      await state.set("sunk", 1);
      sinking.resolve();
      await settle();
      assertEquals(await state.get("handled"), 1);
      throw new Error("sink");
    },
  });
  await app.stream();
  assertEquals(await Array.fromAsync(state.entries()), [["handled", 1]]);
});

Deno.test("a key that handler and sink write in turns is taken back to what was there before", async () => {
  await using state: State = new MemoryCache({ maxBytes: Infinity });
  await state.set("key", 7);
  const app = new App();
  app.handle(numbers(1).source, async function* ({ n }) {
    await state.set("key", 1);
    yield n;
    await state.set("key", 3);
    yield n;
    assertEquals(await state.get("key"), 4);
    throw new Error("handler");
  }, {
    name: "sum",
    state,
    onError: "skip",
    sink: async () => {
      await add(state, "key", 1);
    },
  });
  await app.stream();
  assertEquals(await state.get("key"), 7);
});

Deno.test("what onError itself writes stays when a later try fails", async () => {
  await using state: State = new MemoryCache({ maxBytes: Infinity });
  const app = new App();
  app.handle(numbers(1).source, async () => {
    await state.set("half", 1);
    throw new Error("always");
  }, {
    name: "sum",
    state,
    onError: async () => {
      await add(state, "errors", 1);
      return { retry: { attempts: 2, minDelay: 0 }, otherwise: "skip" } as const;
    },
  });
  await app.stream();
  assertEquals(await Array.fromAsync(state.entries()), [["errors", 1]]);
});

Deno.test("a write for a message that is done is refused after the run, and in the next one", async () => {
  await using state: State = new MemoryCache({ maxBytes: Infinity });
  const [ended, again] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const late: Promise<string>[] = [];
  const app = new App();
  app.handle(numbers(1).source, () => {
    for (const { promise } of [ended, again]) {
      for (const write of [() => state.set("late", 1), () => state.update("late", () => 1)]) {
        const writing = promise.then<unknown>(write).then(() => "written");
        late.push(writing.catch((error) => (error as Error).message.split(":")[0]!));
      }
    }
  }, { name: "sum", state });
  await app.stream();
  ended.resolve();
  await settle();
  const second = new App();
  second.handle(numbers(2).source, async () => {
    again.resolve();
    await Promise.all(late);
  }, { name: "sum", state });
  await second.stream();
  const refused = "Cannot write to a cache for a message that is done";
  assertEquals(await Promise.all(late), late.map(() => refused));
  assertEquals(state.size, 0);
});

Deno.test("a call notes one change for each key, however often it writes it", async () => {
  await using state: State = new MemoryCache({ maxBytes: Infinity });
  let changes = 0;
  const app = new App();
  app.handle(numbers(1).source, async () => {
    for (let n = 0; n < 100; n++) {
      await state.set("one", n);
      await state.set("two", n);
      await state.delete("two");
    }
    currentMessage()!.undoLog!.hasChanged(() => {
      changes++;
      return false;
    });
  }, { name: "sum", state, onError: "skip" });
  await app.stream();
  assertEquals(changes, 2);
});

Deno.test("one message may become as many values behind a Proxy as it likes, each with state", async () => {
  const count = 50_000;
  await using state: State = new MemoryCache({ maxBytes: Infinity });
  const app = new App();
  const values = new Proxy<number>();
  app.handle(numbers(1).source, function* () {
    for (let n = 0; n < count; n++) yield n;
  }, { name: "split", state, sink: values });
  app.handle(values, async () => void await add(state, "sum", 1), { name: "sum", state });
  await app.stream();
  assertEquals(await state.get("sum"), count);
});
