import { assertEquals } from "@std/assert";
import { App, type StatusEvent } from "@slipstream/slipstream";
import { observer } from "@slipstream/slipstream/observe";
import { END, type FeedSource, openFeed, WAIT } from "@slipstream/slipstream/connector";
import { ManualClock } from "@slipstream/slipstream/testing";
import { EventSourceParserStream } from "eventsource-parser/stream";
import { observed } from "../_support/observed.ts";

/** Reads the events of a response, one after the other. */
function eventsOf(response: Response) {
  return response.body!.pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream()).getReader();
}

Deno.test("/status sends what happens and snapshots, each status event with an id", async () => {
  await using seen = observed();
  const reader = eventsOf(await seen.get("/status"));
  const first = await reader.read();
  assertEquals(first.value?.event, "snapshot");
  assertEquals(JSON.parse(first.value!.data).snapshot.state, "idle");
  await seen.begin();
  const started = await reader.read();
  assertEquals(started.value?.event, "status");
  const { type, flows } = JSON.parse(started.value!.data) as StatusEvent & { flows: string[] };
  assertEquals([type, flows], ["started", ["wait"]]);
  assertEquals(/^[\da-f]{8}-\d+$/.test(started.value!.id!), true);
  await reader.cancel();
});

Deno.test("/status goes on after the Last-Event-ID, and from the beginning after that of another process", async () => {
  await using seen = observed();
  await seen.begin();
  seen.app.pause([], "x"); // another source: no event
  const reader = eventsOf(await seen.get("/status"));
  const { value: started } = await reader.read();
  assertEquals(JSON.parse(started!.data).type, "started");
  await reader.cancel();

  const again = eventsOf(await seen.get("/status", { headers: { "last-event-id": started!.id! } }));
  assertEquals((await again.read()).value?.event, "snapshot");
  await again.cancel();
  const other = eventsOf(await seen.get("/status", { headers: { "last-event-id": "00000000-1" } }));
  assertEquals((await other.read()).value?.id, started!.id);
  await other.cancel();
});

Deno.test("/status tells a slow client how much it has missed, and keeps nothing for it", async () => {
  const source = [1];
  const app = new App();
  const done = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  app.handle(source, () => {
    begun.resolve();
    return done.promise;
  }, { name: "wait" });
  using seen = observer(app);
  const streaming = app.stream();
  await begun.promise;
  const response = await seen.fetch(new Request("http://localhost/status"));
  for (let n = 0; n < 400; n++) {
    app.pause(source, `${n}`);
    app.resume(source, `${n}`);
  }
  const reader = eventsOf(response);
  const { value: missed } = await reader.read();
  assertEquals(missed?.event, "missed");
  const { events } = JSON.parse(missed!.data);
  assertEquals(events, 301); // of 800, and "started"; 500 are kept
  assertEquals((await reader.read()).value?.event, "status");
  await reader.cancel();
  done.resolve();
  await streaming;
});

Deno.test("/status sends a snapshot each interval while somebody reads it, and takes none for nobody", async () => {
  const clock = new ManualClock();
  await using seen = observed({ clock, interval: { seconds: 2 } });
  const reader = eventsOf(await seen.get("/status"));
  for (let n = 0; n < 3; n++) {
    const { value } = await reader.read();
    assertEquals(value?.event, "snapshot");
    await clock.tick(2_000);
  }
  await reader.cancel();
  seen.observer.close();
  assertEquals(clock.pending, 0);
});

Deno.test("/status tells few of the events of a flood, and how many there were, and all that is rare", async () => {
  const clock = new ManualClock();
  const app = new App({ clock });
  app.handle(Array.from({ length: 5_000 }, (_, n) => n), () => {
    throw new RangeError("no");
  }, { name: "refuse", onError: "skip" });
  using seen = observer(app, { clock });
  await app.stream();
  await clock.tick(1_000);
  const reader = eventsOf(await seen.fetch(new Request("http://localhost/status")));
  const told: string[] = [];
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    if (next.value.event !== "status") continue;
    const { type, count } = JSON.parse(next.value.data);
    told.push(count === undefined ? type : `${type} ${count}`);
  }
  assertEquals(told, [
    "started",
    ...Array(10).fill("skipped"),
    "source_ended",
    "flow_ended",
    "ended",
    "more 4990",
  ]);
});

Deno.test("/trail.json has how lag, watermarks and rates went, also while nobody looked", async () => {
  const clock = new ManualClock();
  await using seen = observed({ clock, interval: { seconds: 1 } }, { clock });
  const trail = async () => await (await seen.get("/trail.json")).json();
  assertEquals(await trail(), { at: [], lines: {} });
  await seen.begin();
  await clock.tick(20_000);
  const { at, lines } = await trail();
  assertEquals(at, [5_000, 10_000, 15_000, 20_000]);
  assertEquals(lines["rate flow:wait"], [0, 0, 0, 0]);
  assertEquals(lines["lag source:Array"], [null, null, null, null]);
  await clock.tick(3_600_000);
  assertEquals((await trail()).at.length, 360); // the last half hour
});

Deno.test("An observer ends no app, also when a source cannot be looked at, and tells that", async () => {
  let ended = false;
  const begun = Promise.withResolvers<() => void>();
  const source: FeedSource<number> = {
    [openFeed]: () => ({
      poll: () => ended ? END : WAIT,
      wait: begun.resolve,
      cancel() {},
      look() {
        throw new Error("blind");
      },
    }),
  };
  const clock = new ManualClock();
  const app = new App();
  app.handle(source, () => {}, { name: "count" });
  using seen = observer(app, { clock });
  const reader = eventsOf(await seen.fetch(new Request("http://localhost/status")));
  const streaming = app.stream();
  const wake = await begun.promise;
  await clock.tick(1_000);
  ended = true;
  wake();
  await streaming;
  let told = "";
  while (!told.includes("blind")) told = (await reader.read()).value!.data;
  assertEquals(JSON.parse(told), { text: "Cannot look at the app: blind" });
  await reader.cancel();
});

Deno.test("/status is for so many clients at a time", async () => {
  await using seen = observed({ clients: 2 });
  const [first, second] = [await seen.get("/status"), await seen.get("/status")];
  assertEquals((await seen.get("/status")).status, 503);
  await first.body!.cancel();
  const third = await seen.get("/status");
  assertEquals(third.status, 200);
  await Promise.all([second, third].map(({ body }) => body!.cancel()));
});

Deno.test("/status and /snapshot.json show of an error what and where it is, and its text when asked for", async () => {
  for (const errors of ["place", "text"] as const) {
    const app = new App();
    app.handle([{ partition: 0, offset: 3 }], () => {
      throw new RangeError("the secret is 42");
    }, { name: "parse", onError: "skip" });
    using seen = observer(app, { errors });
    const reader = eventsOf(await seen.fetch(new Request("http://localhost/status")));
    await reader.read();
    await app.stream();
    let event = "";
    while (!event.includes("skipped")) event = (await reader.read()).value!.data;
    const { error } = JSON.parse(event);
    const snapshot = await (await seen.fetch(new Request("http://localhost/snapshot.json"))).json();
    const { lastError } = snapshot.flows[0];
    for (const told of [error, lastError]) {
      assertEquals([told.name, told.flow, told.partition, told.offset], [
        "RangeError",
        "parse",
        0,
        3,
      ]);
      assertEquals(told.text.includes("42"), errors === "text");
    }
    await reader.cancel();
  }
});
