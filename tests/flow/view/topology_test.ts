import { assertEquals } from "@std/assert";
import {
  App,
  Checkpoint,
  deadLetter,
  Dependency,
  filter,
  map,
  MemoryCache,
  merge,
  Proxy,
} from "@slipstream/slipstream";
import { Topic } from "@slipstream/slipstream/kafka";
import { MemoryBroker } from "@slipstream/slipstream/memory";

Deno.test("App.topology() of an app with nothing bound has no nodes", () => {
  assertEquals(new App().topology(), { nodes: [], edges: [] });
});

Deno.test("App.topology() is a graph of sources, pipes, flows and sinks", async () => {
  await using broker = new MemoryBroker();
  await using orders = new Topic("orders", { broker, groupId: "shop" });
  await using failed = new Topic("failed", { broker });
  const shouts = new Proxy<string>();
  const app = new App();
  const isLarge = (message: unknown) => message !== null;
  app.handle(orders, filter(isLarge), map((message) => message), () => "", {
    name: "shout",
    sink: shouts,
    onError: deadLetter(failed),
  });
  function print() {}
  app.handle(merge(shouts, ["a"]), (text) => text, { name: "print", sink: print });

  assertEquals(app.topology(), {
    nodes: [
      { id: "source:orders", kind: "source", name: "orders", type: "Topic" },
      { id: "proxy:Proxy", kind: "proxy", name: "Proxy", type: "Proxy" },
      { id: "source:Array", kind: "source", name: "Array", type: "Array" },
      { id: "pipe:filter(isLarge)", kind: "pipe", name: "filter(isLarge)" },
      { id: "pipe:map", kind: "pipe", name: "map" },
      { id: "flow:shout", kind: "flow", name: "shout" },
      { id: "sink:failed", kind: "sink", name: "failed", type: "Topic" },
      { id: "flow:print", kind: "flow", name: "print" },
      { id: "sink:print", kind: "sink", name: "print" },
    ],
    edges: [
      { from: "source:orders", to: "pipe:filter(isLarge)", kind: "messages" },
      { from: "pipe:filter(isLarge)", to: "pipe:map", kind: "messages" },
      { from: "pipe:map", to: "flow:shout", kind: "messages" },
      { from: "flow:shout", to: "proxy:Proxy", kind: "messages" },
      { from: "flow:shout", to: "sink:failed", kind: "dead letters" },
      { from: "proxy:Proxy", to: "flow:print", kind: "messages" },
      { from: "source:Array", to: "flow:print", kind: "messages" },
      { from: "flow:print", to: "sink:print", kind: "messages" },
    ],
  });
});

Deno.test("App.topology() shows stores by their caches, and checkpoints between their streams", async () => {
  await using cache = new MemoryCache<string>();
  const [activities, weather] = [["swimming"], ["🌞"]];
  new Checkpoint("answers", {
    dependent: activities,
    dependencies: [new Dependency("sky", weather)],
    cache,
  });
  const app = new App();
  app.handle(weather, (sky) => ["sky", sky] as const, { name: "keep", sink: cache });
  app.handle(activities, () => {}, { name: "answer" });

  const { nodes, edges } = app.topology();
  assertEquals(nodes.filter(({ kind }) => kind === "store" || kind === "checkpoint"), [
    { id: "store:a cache in memory", kind: "store", name: "a cache in memory" },
    { id: "checkpoint:answers", kind: "checkpoint", name: "answers" },
  ]);
  const [weatherId, activitiesId] = ["source:Array", "source:Array#2"];
  assertEquals(edges, [
    { from: weatherId, to: "flow:keep", kind: "messages" },
    { from: "flow:keep", to: "store:a cache in memory", kind: "messages" },
    { from: activitiesId, to: "flow:answer", kind: "messages" },
    { from: weatherId, to: "checkpoint:answers", kind: "dependency", name: "sky" },
    { from: "checkpoint:answers", to: activitiesId, kind: "dependent" },
    { from: "checkpoint:answers", to: "store:a cache in memory", kind: "kept" },
  ]);
});

Deno.test("App.topology() is the same while the app streams, and after it", async () => {
  const app = new App();
  const seen: unknown[] = [];
  app.handle("ab", () => void seen.push(app.topology()), { name: "look" });
  const before = app.topology();
  await app.stream();
  assertEquals(seen, [before, before]);
  assertEquals(app.topology(), before);
});

Deno.test("App.topology() tells two equal strings apart", () => {
  const app = new App();
  app.handle("a", () => {}, { name: "first" });
  app.handle("a", () => {}, { name: "second" });
  assertEquals(app.topology().edges.map(({ from, to }) => `${from} ${to}`), [
    "source:a string flow:first",
    "source:a string#2 flow:second",
  ]);
  assertEquals(app.snapshot().flows.map(({ sources }) => sources), [
    ["source:a string"],
    ["source:a string#2"],
  ]);
});
