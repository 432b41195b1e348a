import { assertEquals, assertThrows } from "@std/assert";
import { App } from "@slipstream/slipstream";
import { observe, observer } from "@slipstream/slipstream/observe";
import { observed } from "../_support/observed.ts";

const TOKEN = "a-token-of-this-test";

Deno.test("observe() of what is no app says what to give", () => {
  for (const wrong of [{}, undefined]) {
    assertThrows(() => observe(wrong as App), TypeError, "give an App; that of handle() is");
  }
});

Deno.test("observer() answers this machine by its names, and no other without a token", async () => {
  using seen = observer(new App());
  for (const host of ["localhost", "127.0.0.1:9464", "[::1]:80", "app.localhost"]) {
    const { status } = await seen.fetch(new Request(`http://${host}/snapshot.json`));
    assertEquals([host, status], [host, 200]);
  }
  for (
    const host of ["example.com", "127.0.0.1.example.com", "10.0.0.1", "localhost.example.com"]
  ) {
    const { status } = await seen.fetch(new Request(`http://${host}/snapshot.json`));
    assertEquals([host, status], [host, 403]);
  }
});

Deno.test("observer() with unprotected answers any host", async () => {
  using seen = observer(new App(), { unprotected: true });
  assertEquals((await seen.fetch(new Request("http://ops.example.com/metrics"))).status, 200);
});

Deno.test("observer() refuses requests of other sites, also with a token", async () => {
  await using seen = observed({ token: TOKEN });
  const headers = { authorization: `Bearer ${TOKEN}` };
  assertEquals((await seen.get("/snapshot.json", { headers })).status, 200);
  for (
    const foreign of [
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { origin: "https://example.com" },
      { origin: "null" },
    ]
  ) {
    const { status } = await seen.get("/snapshot.json", {
      headers: { ...headers, ...foreign } as HeadersInit,
    });
    assertEquals([foreign, status], [foreign, 403]);
  }
  for (
    const own of [
      { origin: "http://localhost" },
      { origin: "http://localhost", "sec-fetch-site": "same-origin" },
      { origin: "https://ops.example.com", "sec-fetch-site": "same-origin" }, // a proxy has changed the host
      { "sec-fetch-site": "none" },
    ]
  ) {
    const { status } = await seen.get("/snapshot.json", {
      headers: { ...headers, ...own } as HeadersInit,
    });
    assertEquals([own, status], [own, 200]);
  }
});

Deno.test("observer() with a token shows nothing without it, and the probes only their state", async () => {
  await using seen = observed({ token: TOKEN });
  for (const path of ["/metrics", "/topology.json", "/topology.mmd", "/snapshot.json", "/status"]) {
    const { status, headers } = await seen.get(path);
    assertEquals([path, status, headers.get("www-authenticate")], [
      path,
      401,
      'Bearer realm="slipstream"',
    ]);
    const wrong = await seen.get(path, { headers: { authorization: `Bearer ${TOKEN}x` } });
    assertEquals(wrong.status, 401);
  }
  assertEquals(await (await seen.get("/live")).json(), { ok: true });
  const { checks } = await (await seen.get("/live", {
    headers: { authorization: `Bearer ${TOKEN}` },
  })).json();
  assertEquals(checks.length, 1);
});

Deno.test("observer() gives the page a cookie for the token, which is not the token", async () => {
  await using seen = observed({ token: TOKEN });
  const page = await seen.get("/");
  assertEquals(page.status, 401);
  assertEquals((await page.text()).includes('action="login"'), true);

  const login = (token: string) =>
    seen.get("/login", {
      method: "POST",
      body: new URLSearchParams({ token }),
      headers: {
        "content-length": "60",
      },
    });
  const refused = await login("another-token-entirely");
  assertEquals([refused.status, refused.headers.get("set-cookie")], [401, null]);
  const accepted = await login(TOKEN);
  assertEquals([accepted.status, accepted.headers.get("location")], [303, "./"]);
  const cookie = accepted.headers.get("set-cookie")!;
  assertEquals(cookie.includes(TOKEN), false);
  assertEquals(/; HttpOnly; SameSite=Strict$/.test(cookie), true, cookie);
  const value = cookie.split(";")[0]!;
  assertEquals((await seen.get("/", { headers: { cookie: value } })).status, 200);
  assertEquals((await seen.get("/", { headers: { cookie: `a=b; ${value}` } })).status, 200);
  assertEquals((await seen.get("/", { headers: { cookie: `${value}0` } })).status, 401);
});

Deno.test("observer() sends the page with a strict policy, and everything uncached", async () => {
  await using seen = observed();
  for (
    const path of [
      "/",
      "/page.js",
      "/dom.js",
      "/page.css",
      "/favicon.svg",
      "/snapshot.json",
      "/nothing",
    ]
  ) {
    const { headers } = await seen.get(path);
    const policy = headers.get("content-security-policy")!;
    assertEquals(
      policy.startsWith("default-src 'none'; script-src 'self'; style-src 'self';"),
      true,
    );
    assertEquals(/unsafe|\*|https?:/.test(policy), false);
    assertEquals(headers.get("x-content-type-options"), "nosniff");
    assertEquals(headers.get("cache-control"), "no-store");
  }
});

Deno.test("observer() below a path answers there alone", async () => {
  await using seen = observed({ path: "/ops" });
  assertEquals((await seen.get("/ops/snapshot.json")).status, 200);
  assertEquals((await seen.get("/snapshot.json")).status, 404);
  const moved = await seen.get("/ops");
  assertEquals([moved.status, moved.headers.get("location")], [308, "ops/"]);
  assertEquals(
    await (await seen.get("/live")).text(),
    "there is nothing at /live: the observer is below /ops/, and needs the whole path\n",
  );
});

Deno.test("observer() takes GET and HEAD alone", async () => {
  await using seen = observed();
  assertEquals((await seen.get("/metrics", { method: "POST" })).status, 405);
  const head = await seen.get("/metrics", { method: "HEAD" });
  assertEquals([head.status, await head.text()], [200, ""]);
});

Deno.test("observer() refuses options that are wrong, and shows no secret in the error", () => {
  const app = new App();
  assertThrows(
    () => observer(app, { token: "short-secret" }),
    TypeError,
    'Cannot use option "token" of observer as it must be a string of at least 16 characters',
  );
  assertThrows(() => observer(app, { path: "ops/" }), TypeError, 'begins with "/"');
  assertThrows(() => observer(app, { tokn: "x" } as never), TypeError, "token");
});

Deno.test("observe() listens on this machine unless it has a token", async () => {
  const app = new App();
  assertThrows(
    () => observe(app, { port: 0, hostname: "0.0.0.0" }),
    TypeError,
    'Cannot show an app at 0.0.0.0 to everybody who can reach it: set "token"',
  );
  await using server = observe(app, { port: 0 });
  const response = await fetch(`${server.url}ready`);
  assertEquals(response.status, 503);
  await response.body?.cancel();
});

Deno.test("observe() ends open event streams when it is closed", async () => {
  const server = observe(new App(), { port: 0 });
  const response = await fetch(`${server.url}status`);
  const text = response.text();
  await server.close();
  assertEquals((await text).includes("event: snapshot"), true);
});
