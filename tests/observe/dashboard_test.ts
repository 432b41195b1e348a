import { assertEquals } from "@std/assert";
import {
  App,
  Cache,
  Checkpoint,
  deadLetter,
  Dependency,
  MemoryCache,
  Proxy,
} from "@slipstream/slipstream";
import { Topic } from "@slipstream/slipstream/kafka";
import { MemoryBroker } from "@slipstream/slipstream/memory";
import { observe, toMermaid } from "@slipstream/slipstream/observe";
import axe from "axe-core/axe.min.js" with { type: "text" };
import mermaid from "mermaid/dist/mermaid.min.js" with { type: "text" };
import { browserTest, type Page } from "../_support/browser.ts";
import { pricedOrders } from "../_support/priced_orders.ts";
import { smallDisk } from "../_support/small_disk.ts";

const root = new URL("../../", import.meta.url);

/** Runs examples/dashboard.ts at a port, until it is killed. */
function shop(port: number): Promise<Deno.ChildProcess> {
  return example(port, "dashboard.ts", "300", `${port}`);
}

/** Runs an example whose first line says where its page is. */
async function example(port: number, ...args: string[]): Promise<Deno.ChildProcess> {
  const [file, ...rest] = args;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-net", `examples/${file}`, ...rest],
    cwd: root,
    stdout: "piped",
    stderr: "inherit",
    env: { NO_COLOR: "1" },
  }).spawn();
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const line = `Look at http://127.0.0.1:${port}/\n`;
  while (!text.includes(line)) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`examples/${file} has ended, and printed ${text}`);
    text += value;
  }
  (async () => {
    while (!(await reader.read()).done);
  })();
  return process;
}

async function kill(process: Deno.ChildProcess): Promise<void> {
  process.kill("SIGKILL");
  await process.status;
}

/** A port that was free just now. */
function freePort(): number {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  return listener.addr.port;
}

const FLOW = (name: string, cell: string) =>
  `[...document.querySelectorAll("#flows tbody tr")].find((row) => row.cells[0].innerText === "${name}")` +
  `?.querySelector('td[data-name="${cell}"]')?.innerText`;

const FIGURE = (section: string, name: string) =>
  `[...document.querySelectorAll("#${section} dl.figures div")]` +
  `.find((each) => each.querySelector("dt").innerText === "${name}")?.querySelector("dd").innerText`;

/** Asserts what holds for the page at any time: nothing is cut off, and those who do not see it can use it. */
async function assertUsable(page: Page): Promise<void> {
  for (const scheme of ["light", "dark"] as const) {
    for (const width of [1280, 390]) {
      await page.show({ width, scheme });
      await page.evaluate(
        "new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))",
      );
      assertEquals(await page.evaluate("document.documentElement.scrollWidth"), width);
      const violations = await page.evaluate<string[]>(
        `${axe}; axe.run().then(({ violations }) => violations.map(({ id, nodes }) =>
          id + ": " + nodes.map(({ html }) => html).join(" ").slice(0, 500)))`,
      );
      assertEquals([scheme, width, ...violations], [scheme, width]);
    }
  }
}

browserTest(
  "The dashboard shows a shop: rates move, an outage, a correction, and a restart",
  async (browser) => {
    const port = freePort();
    let process = await shop(port);
    try {
      const url = `http://127.0.0.1:${port}/`;
      const page = await browser.open(url);
      await page.until('document.querySelector("#state")?.innerText === "streaming"');
      await page.until(`parseFloat(${FLOW("price", "rate")}) > 1`);
      const done = await page.evaluate<string>(FLOW("price", "done"));
      await page.until(`${FLOW("price", "done")} !== ${JSON.stringify(done)}`);

      await page.until('document.querySelector("#problems").innerText.includes("rates is down")');
      await page.until('document.querySelector("#checkpoints rect.outage title") !== null');
      // The orders that wait stand on the edges that lead from them, too.
      await page.until(
        '[...document.querySelectorAll("#topology text.label")].some((each) => /^\\d.*\\/s, lag \\d/.test(each.textContent))',
      );
      assertEquals((await page.text("#sources")).includes("Paused by: checkpoint priced"), true);
      await assertUsable(page);

      await page.until(`Number(${FIGURE("checkpoints", "corrections")}) >= 1`);
      await page.until('document.querySelector("#checkpoints rect.corrected title") !== null');
      await page.until('!document.querySelector("#problems").innerText.includes("rates is down")');
      assertEquals((await page.text("#checkpoints")).includes("correction of results of"), true);
      await page.until(`Number(${FLOW("price", "dead letters")}) >= 1`);

      await page.until(
        "Number(document.querySelector('#windows td[data-name=\"closed\"]')?.innerText) >= 3",
      );
      const events = await page.text("#events");
      for (
        const event of ["rates is down, behind by", "rates has caught up", "results are corrected"]
      ) {
        assertEquals([event, events.includes(`Checkpoint priced: ${event}`)], [event, true]);
      }
      assertEquals(events.includes("Topic orders: reads partitions 0, 1, 2"), true);

      await kill(process);
      await page.until('document.querySelector("#link")?.innerText.includes("connection lost")');
      process = await shop(port);
      await page.until('document.querySelector("#link") === null');
      await page.until('document.querySelector("#state")?.innerText === "streaming"');
      await page.until(`Number(${FIGURE("checkpoints", "outages")}) === 0`); // of the new process

      const foreign = page.requests.filter((each) => !each.startsWith(url));
      assertEquals(foreign, []);
      const complaints = page.complaints.filter((each) => !each.includes("net::ERR_"));
      assertEquals(complaints, []);
    } finally {
      await kill(process);
    }
  },
);

browserTest(
  "The dashboard tells from its page alone what is wrong with an app",
  async (browser) => {
    await using set = await pricedOrders({
      downtimeThreshold: 10,
      pauseDependent: false,
      orderPartitions: 3,
    });
    const { broker, rates, orders, rate, price } = set;
    const options = { broker, groupId: "g", offset: "earliest" } as const;
    await using parcels = new Topic("parcels", options);
    await parcels.ensure();
    await using disk = await smallDisk(4); // where nothing may be mounted, the rest is tested
    await using cache = disk &&
      await Cache.open<string>(`${disk.path}/db`, { maxBytes: Infinity });
    const app = new App({ commit: { interval: 100, flushTimeout: { minutes: 2 } } });
    const [stuck, slow] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    app.handle(parcels, () => stuck.promise, { name: "ship" });
    app.handle(rates, rate, { name: "rate" });
    app.handle(orders, async (order) => {
      const { value, partition, offset } = order;
      if (value === "poison") throw new SyntaxError(`cannot read ${value}`);
      await price(order);
      if (partition === 1 && offset > 2) await slow.promise;
    }, { name: "price", onError: deadLetter(() => {}) });
    await using server = observe(app, { port: 0 });
    const streaming = app.stream();
    await rates.send({ value: "1" });
    await orders.send({ value: "2", partition: 0 });
    await orders.send({ value: "poison", partition: 0 });
    await orders.send({ value: "100", partition: 0 });
    await parcels.send({ value: "a parcel" });
    for (let n = 0; n < 400; n++) await orders.send({ value: "100", partition: 1 });
    // More than the disk takes: what comes later stays in memory, and the cache says so.
    for (let n = 0; cache !== undefined && n < 3_000; n++) {
      await cache.set(n, "x".repeat(3_000)).catch(() => {});
    }

    const page = await browser.open(server.url);
    const told = (text: string) =>
      page.until(`/${text}/.test(document.querySelector("#problems")?.innerText)`, 30);
    if (cache !== undefined) {
      await told("Commits have failed for .*: Cannot write cache .* full");
      await told('cache ".*db" is not saved: Cannot write cache .* full');
    }
    await told("rates is down for .*: its dependent goes on with old data \\(checkpoint priced\\)");
    await told("orders partition 1 (lags|stands still)");
    await told(
      "Flow price failed once, .* ago: SyntaxError " +
        "\\(orders partition 0 offset 1\\) at dashboard_test.ts:\\d+:\\d+ \\(1 dead letter so far\\)",
    );
    await told(
      "Flow ship handles a message \\(parcels partition 0 offset 0\\) for .*: is it stuck\\?",
    );
    // What is in messages is shown to nobody.
    assertEquals((await page.text()).includes("poison"), false);
    await assertUsable(page);

    stuck.resolve();
    slow.resolve();
    await disk?.grow(100);
    await cache?.flush();
    await page.until(
      '!document.querySelector("#problems").innerText.includes("Commits have failed")',
    );
    await app.close();
    await streaming;
    await page.until('document.querySelector("#state").innerText === "ended"');
  },
);

browserTest("The demo tells its story in the browser, too", async (browser) => {
  const port = freePort();
  const process = await example(port, "demo.ts", `--observe=${port}`);
  try {
    const page = await browser.open(`http://127.0.0.1:${port}/`);
    await page.until('document.querySelector("#state")?.innerText === "ended"');
    const history = await page.text("#checkpoints");
    assertEquals(
      /weather went down, and came back after .*1 Jan 2023, 10:00:00/.test(history),
      true,
    );
    assertEquals(
      /correction of results of 1 Jan 2023, 11:00:00 to 1 Jan 2023, 11:40:00 \(partition 0 from 3\)/
        .test(history),
      true,
      history,
    );
  } finally {
    await kill(process);
  }
});

browserTest(
  "The dashboard of an app with no flows, and of one that has ended, says so",
  async (browser) => {
    const empty = new App();
    await using nothing = observe(empty, { port: 0 });
    const page = await browser.open(nothing.url);
    await page.until(
      'document.querySelector("main").innerText.includes("The app has no flows yet.")',
    );
    await assertUsable(page);

    const app = new App();
    app.handle("abc", () => {}, { name: "count" });
    await using server = observe(app, { port: 0 });
    await page.go(server.url);
    await page.until('document.querySelector("#state")?.innerText === "idle"');
    await app.stream();
    await page.until('document.querySelector("#state")?.innerText === "ended"');
    await page.until(`${FLOW("count", "done")} === "3"`);
    assertEquals((await page.text("#head")).includes("connection lost"), false);
    await assertUsable(page);
  },
);

browserTest(
  "A chart of the dashboard is read with the keyboard and the pointer, and keeps the focus",
  async (browser) => {
    await using broker = new MemoryBroker();
    await using topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
    await topic.ensure({ partitions: 40 });
    const app = new App();
    app.handle(topic, () => {}, { name: "count" });
    await using server = observe(app, { port: 0, interval: 100 });
    const streaming = app.stream();
    const page = await browser.open(server.url);
    const chart = "document.querySelector('[data-chart=\"lag source:in\"]')";
    const output = `${chart}.closest("figure").querySelector("output").innerText`;
    const isAtPoint = `/^\\d\\d:\\d\\d:\\d\\d: lag 0$/.test(${output})`;
    await page.until(`${chart} !== null`);
    await page.evaluate(`${chart}.focus()`);
    await page.press("ArrowLeft");
    await page.until(isAtPoint);
    assertEquals(await page.evaluate(`document.activeElement === ${chart}`), true);
    await page.press("End");
    await page.until(`${output} === "lag 0"`);

    const { x, y } = await page.evaluate<{ x: number; y: number }>(
      `(() => { ${chart}.scrollIntoView(); return ${chart}.getBoundingClientRect().toJSON(); })()`,
    );
    await page.point(x + 120, y + 50);
    await page.until(isAtPoint);
    await page.point(2, 2);
    await page.until(`${output} === "lag 0"`);

    const partitions = await page.text("#sources details");
    assertEquals(partitions.includes("40 partitions; those with the largest lag"), true);
    assertEquals(await page.evaluate(`document.querySelectorAll("#sources tbody tr").length`), 32);
    assertEquals(page.complaints, []);
    await app.close();
    await streaming;
  },
);

browserTest(
  "The dashboard with a token asks for it, and shows the app to who has it",
  async (browser) => {
    const app = new App();
    app.handle("abc", () => {}, { name: "count" });
    await using server = observe(app, { port: 0, token: "the-token-of-this-test" });
    const page = await browser.open(server.url);
    const submit = async (token: string) => {
      await page.evaluate(
        `document.querySelector("[name=token]").value = ${
          JSON.stringify(token)
        }; document.querySelector("form").requestSubmit()`,
      );
    };
    await submit("another-token-entirely");
    await page.until(
      'document.querySelector("[role=alert]")?.innerText === "That is not the token."',
    );
    await assertUsable(page);
    await submit("the-token-of-this-test");
    await page.until('document.querySelector("#state")?.innerText === "idle"');
    assertEquals(await page.evaluate("document.cookie"), "");
  },
);

browserTest("toMermaid() is what Mermaid draws, whatever the names are", async (browser) => {
  const odd = [
    'say "hi"',
    "a]b",
    "<script>",
    "end",
    "naïve 🐟",
    "a;b#c",
    "x | y",
    "`{%",
    "\\n",
    "class",
  ];
  const app = new App();
  await using cache = new MemoryCache<string>();
  const proxy = new Proxy<string>();
  const source = ["a"];
  new Checkpoint('c "1"', {
    dependent: source,
    dependencies: [new Dependency("d|1", ["b"])],
    cache,
  });
  for (const name of odd) {
    app.handle(source, (value) => value, { name, sink: proxy, onError: deadLetter(() => {}) });
  }
  app.handle(proxy, (value) => [value, value] as const, { name: "store", sink: cache });
  const topology = app.topology();
  const page = await browser.open("about:blank");
  await page.evaluate(`${mermaid}; 0`);
  const { type, labels } = await page.evaluate<{ type: string; labels: string[] }>(`(async () => {
    const text = ${JSON.stringify(toMermaid(topology))};
    const { diagramType } = await mermaid.parse(text);
    const { svg } = await mermaid.render("drawn", text);
    const drawn = new DOMParser().parseFromString(svg, "text/html");
    const labels = [...drawn.querySelectorAll(".nodeLabel")].map((each) => each.textContent);
    return { type: diagramType, labels };
  })()`);
  assertEquals(type.startsWith("flowchart"), true, type);
  assertEquals(labels.toSorted(), topology.nodes.map(({ name }) => name).toSorted());
});
