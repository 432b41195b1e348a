import { assertEquals } from "@std/assert";
import { App, MemoryCache, Proxy } from "@slipstream/slipstream";
import { observer } from "@slipstream/slipstream/observe";
import parsePrometheus from "parse-prometheus-text-format";
import { METRICS, toPrometheus } from "../../src/observe/metrics.ts";
import { pricedOrders } from "../_support/priced_orders.ts";

/** A metric as the parser gives it. */
interface Parsed {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly metrics: readonly { readonly value: string; readonly labels?: Record<string, string> }[];
}

const parse = parsePrometheus as unknown as (text: string) => Parsed[];

/** An app with all that has metrics, after it has worked. */
async function worked(): Promise<string> {
  await using cache = new MemoryCache<string>();
  await using set = await pricedOrders({ name: 'say "hi"\\', cache });
  const { rates, orders, rate, price } = set;
  const proxy = new Proxy<string>();
  const app = new App({ commit: { interval: 1 } });
  app.handle(rates, rate, { name: "rate" });
  app.handle(orders, async (order) => {
    await price(order);
    return order.value;
  }, { name: "price", sink: proxy });
  app.handle(proxy, () => {}, { name: "keep" });
  using seen = observer(app);
  const streaming = app.stream();
  await rates.send({ value: "1" });
  await orders.send({ value: "2" });
  for (let isDone = false; !isDone; await new Promise((resolve) => setTimeout(resolve))) {
    const { sources, checkpoints, commits } = app.snapshot();
    isDone = checkpoints[0]!.frontier === 1 && checkpoints[0]!.pulse === 2 &&
      sources.every(({ lag = 0, messages }) => messages === 1 && lag === 0) && commits!.commits > 0;
  }
  const response = await seen.fetch(new Request("http://localhost/metrics"));
  assertEquals(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const text = await response.text();
  await app.close();
  await streaming;
  return text;
}

Deno.test("/metrics is what Prometheus' text format is, with names, types and labels", async () => {
  const text = await worked();
  const metrics = new Map(parse(text).map((metric) => [metric.name, metric]));
  const value = (name: string, labels: Record<string, string>) =>
    metrics.get(name)?.metrics.find(({ labels: given = {} }) =>
      Object.entries(labels).every(([key, value]) => given[key] === value)
    )?.value;
  assertEquals(value("slipstream_app_state", { state: "streaming" }), "1");
  assertEquals(value("slipstream_app_state", { state: "idle" }), "0");
  assertEquals(value("slipstream_source_lag_messages", { source: "rates" }), "0");
  assertEquals(value("slipstream_partition_end", { source: "orders", partition: "0" }), "1");
  assertEquals(value("slipstream_source_queue_messages", { source: "Proxy" }), "0");
  assertEquals(value("slipstream_flow_errors_total", { flow: "price" }), "0");
  assertEquals(metrics.get("slipstream_flow_errors_total")?.type, "COUNTER");
  assertEquals(text.includes('checkpoint="say \\"hi\\"\\\\"'), true);
  for (const [name, { type, help }] of metrics) {
    assertEquals([name, METRICS[name]?.type.toUpperCase(), METRICS[name]?.help], [
      name,
      type,
      help,
    ]);
  }
});

Deno.test("/metrics has a sample of each metric but those of windows, each once, and ends with a line break", async () => {
  const text = await worked();
  const missing = Object.keys(METRICS).filter((name) => !text.includes(`# TYPE ${name} `));
  assertEquals(missing, [
    "slipstream_window_open",
    "slipstream_window_closed_total",
    "slipstream_window_late_messages_total",
    "slipstream_window_ahead_messages_total",
    "slipstream_window_waiting_results",
    "slipstream_window_watermark_timestamp_seconds",
    "slipstream_window_watermark_delay_seconds",
    "slipstream_store_last_save_timestamp_seconds",
  ]);
  const samples = text.trimEnd().split("\n").filter((line) => !line.startsWith("#"))
    .map((line) => line.slice(0, line.lastIndexOf(" ")));
  assertEquals(samples.length, new Set(samples).size);
  assertEquals(text.endsWith("\n"), true);
});

const promtool = await Promise.try(() =>
  new Deno.Command("promtool", { args: ["--version"] }).output()
).then(({ success }) => success, () => false);

Deno.test({
  name: `/metrics has nothing that promtool complains about${
    promtool ? "" : " (ignored: promtool is not installed)"
  }`,
  ignore: !promtool,
  async fn() {
    const process = new Deno.Command("promtool", {
      args: ["check", "metrics"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = process.stdin.getWriter();
    await writer.write(new TextEncoder().encode(await worked()));
    await writer.close();
    const { success, stdout, stderr } = await process.output();
    const said = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
    assertEquals([success, said], [true, ""]);
  },
});

Deno.test("The names of metrics are conventional: a unit, and _total for what only grows", () => {
  for (const [name, { type }] of Object.entries(METRICS)) {
    assertEquals(/^slipstream(_[a-z]+)+$/.test(name), true, name);
    assertEquals(name.endsWith("_total"), type === "counter", name);
    if (/duration|_age|delay|commit_failing|waiting_s/.test(name)) {
      assertEquals(name.endsWith("_seconds"), true, name);
    }
  }
});

Deno.test("/metrics of an app that does not stream has no sample of what is not known", () => {
  const app = new App();
  app.handle([1], () => {}, { name: "count" });
  const metrics = parse(toPrometheus(app.snapshot()));
  assertEquals(metrics.some(({ name }) => name === "slipstream_commits_total"), false);
  assertEquals(metrics.some(({ name }) => name === "slipstream_source_lag_messages"), false);
  assertEquals(metrics.some(({ name }) => name === "slipstream_flow_messages_total"), true);
});

Deno.test("docs/production.md has every metric in its table, with its type and its help", async () => {
  const text = await Deno.readTextFile(new URL("../../docs/production.md", import.meta.url));
  const rows = text.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  for (const [name, { type, help }] of Object.entries(METRICS)) {
    const row = rows.find((cells) => cells[1] === `\`${name}\``);
    assertEquals([name, row?.[2], row?.[3]], [name, type, help.replace(/\.$/, "")]);
  }
});
