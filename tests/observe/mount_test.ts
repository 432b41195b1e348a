import { assertEquals } from "@std/assert";
import { App } from "@slipstream/slipstream";
import { observer, type ObserverOptions } from "@slipstream/slipstream/observe";
import { Hono } from "hono";
import { browserTest } from "../_support/browser.ts";
import { statusReader } from "../_support/status_reader.ts";

const TOKEN = "a-token-of-this-test";

type Fetch = (request: Request) => Response | Promise<Response>;

/** What the service itself answers: the cookies that it was sent. */
function service(request: Request): Response {
  return new Response(`the service, cookies: ${request.headers.get("cookie") ?? "none"}`);
}

/** The ways to mount an observer: at which path it is seen, its option `path`, and the server in front of it. */
const WAYS: Record<string, readonly [prefix: string, path: string, mount: (ops: Fetch) => Fetch]> =
  {
    "Hono's all()": ["/ops", "/ops", (ops) => {
      const hono = new Hono().get("/", (context) => service(context.req.raw));
      hono.all("/ops/*", (context) => ops(context.req.raw));
      return hono.fetch;
    }],
    "Hono's mount() with whole paths": ["/ops", "/ops", (ops) => {
      const hono = new Hono().get("/", (context) => service(context.req.raw));
      hono.mount("/ops", ops, { replaceRequest: false });
      return hono.fetch;
    }],
    "Hono's mount()": ["/ops", "", (ops) => {
      const hono = new Hono().get("/", (context) => service(context.req.raw));
      hono.mount("/ops", ops);
      return hono.fetch;
    }],
    "Hono's route()": ["/internal/ops", "/internal/ops", (ops) => {
      const internal = new Hono().all("/ops/*", (context) => ops(context.req.raw));
      const hono = new Hono().get("/", (context) => service(context.req.raw));
      return hono.route("/internal", internal).fetch;
    }],
    "Deno.serve": ["/a/b", "/a/b", (ops) => (request) => {
      const { pathname } = new URL(request.url);
      return /^\/a\/b(\/|$)/.test(pathname) ? ops(request) : service(request);
    }],
  };

/** An app that streams until it is disposed, shown by a server. */
function served(way: string, options: ObserverOptions = {}) {
  const [prefix, path, mount] = WAYS[way]!;
  const app = new App();
  const { promise, resolve } = Promise.withResolvers<void>();
  app.handle(["a"], () => promise, { name: "wait" });
  const seen = observer(app, { path, ...options });
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    mount(seen.fetch),
  );
  const streaming = app.stream();
  return {
    observer: seen,
    url: `http://127.0.0.1:${server.addr.port}${prefix}`,
    origin: `http://127.0.0.1:${server.addr.port}`,
    prefix,
    path,
    async [Symbol.asyncDispose]() {
      resolve();
      await streaming;
      seen.close();
      await server.shutdown();
    },
  };
}

/** All URLs that a page, a script or a style names, as they are in it. */
function linksOf(text: string): string[] {
  return [
    ...text.matchAll(/(?:href|src|action)="([^"#]+)"/g),
    ...text.matchAll(/^import .*? from "([^"]+)"/gm),
    ...text.matchAll(/(?:fetch|EventSource)\("([^"]+)"/g),
  ].map(([, link]) => link!);
}

for (const way of Object.keys(WAYS)) {
  Deno.test(`observer() in ${way} has links, redirects and a cookie that lead to itself`, async () => {
    await using shown = served(way, { token: TOKEN });
    const { url, origin, path } = shown;
    const get = (to: string, cookie = "") => fetch(to, { headers: { cookie }, redirect: "manual" });
    assertEquals(await (await get(`${origin}/`)).text(), "the service, cookies: ");
    if (path !== "") { // else it is not known whether there was a slash
      const moved = await get(url);
      const to = new URL(moved.headers.get("location")!, url).href;
      assertEquals([moved.status, to, await moved.text()], [308, `${url}/`, ""]);
    }
    const login = await get(`${url}/`);
    assertEquals(login.status, 401);
    const action = new URL(/action="(.*?)"/.exec(await login.text())![1]!, `${url}/`).href;
    const accepted = await fetch(action, {
      method: "POST",
      body: new URLSearchParams({ token: TOKEN }),
      redirect: "manual",
    });
    assertEquals([accepted.status, await accepted.text()], [303, ""]);
    assertEquals(new URL(accepted.headers.get("location")!, action).href, `${url}/`);
    const cookie = accepted.headers.get("set-cookie")!;
    assertEquals(/path=/i.test(cookie), false, cookie); // so a browser takes that of the login: the prefix
    const value = cookie.split(";")[0]!;

    const seen = new Set([`${url}/`]);
    for (const page of seen) {
      const response = await get(page, value);
      assertEquals([page, response.status], [page, 200]);
      if (page.endsWith("/status")) {
        await response.body!.cancel();
        continue;
      }
      const links = linksOf(await response.text());
      for (const link of links) {
        const { href } = new URL(link, page);
        assertEquals(href.startsWith(`${url}/`), true, href);
        seen.add(href);
      }
    }
    for (const name of ["status", "trail.json", "snapshot.json", "page.css", "chart.js", "live"]) {
      assertEquals([name, seen.has(`${url}/${name}`)], [name, true]);
    }
  });
}

Deno.test("observer() in Hono streams the status, resumes it, and ends it when it is closed", async () => {
  await using shown = served("Hono's all()");
  const at = (id?: string) =>
    statusReader({
      fetch: () => fetch(`${shown.url}/status`, { headers: id ? { "last-event-id": id } : {} }),
    });
  const reader = await at();
  const { id } = await reader.until(({ data }) => data.type === "started");
  await reader[Symbol.asyncDispose]();
  await using again = await at(id);
  assertEquals((await again.next())?.event, "snapshot"); // "started" is not sent again
  shown.observer.close();
  assertEquals(await again.next(), undefined);
});

browserTest(
  "The dashboard below a path of Hono asks for the token, and shows the app",
  async (browser) => {
    for (const way of ["Hono's all()", "Hono's mount()"]) {
      const token = `a-token-${crypto.randomUUID()}`; // browsers send the cookies of one port to another, too
      await using shown = served(way, { token });
      const page = await browser.open(shown.path === "" ? `${shown.url}/` : shown.url);
      await page.until('document.querySelector("form") !== null');
      await page.evaluate(
        `document.querySelector("[name=token]").value = "${token}"; document.querySelector("form").requestSubmit()`,
      );
      await page.until('document.querySelector("#state")?.innerText === "streaming"');
      await page.until('document.querySelector("#events").innerText.includes("flow through wait")');
      assertEquals(await page.evaluate("location.href"), `${shown.url}/`);
      const foreign = page.requests.filter((each) => !`${each}/`.startsWith(`${shown.url}/`));
      assertEquals(foreign, []);
      assertEquals(page.complaints.filter((each) => !each.includes("401")), []);
      const service = await page.evaluate<string>('fetch("/").then((response) => response.text())');
      assertEquals(service, "the service, cookies: none");
    }
  },
);
