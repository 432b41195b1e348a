import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { App, Cache, type StatusEvent } from "../mod.ts";
import { redactText } from "../src/redact.ts";
import { KafkaBroker, Topic } from "../src/kafka/mod.ts";
import { toKafkaError } from "../src/kafka/kafkajs/failures.ts";

Deno.test("redactText() masks user and password of URLs and addresses, and parameters named as secrets", () => {
  for (
    const [text, masked] of [
      ["at https://user:s3cret@host:1/path", "at https://***@host:1/path"],
      ["(kafka+ssl://s3cret@host)", "(kafka+ssl://***@host)"],
      ["'http://user:s3@cr:et@[::1]:80/?a=1'", "'http://***@[::1]:80/?a=1'"],
      ["user:s3cret@host:9092,me:s3@cret@[::1]:9093", "***@[::1]:9093"],
      ["at user:s3cret@host:9092, or so", "at ***@host:9092, or so"],
      ["https://host/?page=3&access_token=s3cret&x=1", "https://host/?page=3&access_token=***&x=1"],
      ["https://host/?X-Amz-Signature=s3cret#a", "https://host/?X-Amz-Signature=***#a"],
    ]
  ) {
    assertEquals(redactText(text!), masked);
  }
  for (
    const text of [
      "npm:kafkajs@2.2.4",
      "file:///npm:avsc@5.7.9/lib.js:1:2",
      "me@example.org: hello",
      "https://host/path@2x.png?keys",
      "at a:b, c@d",
      "http://[::1]:80",
    ]
  ) {
    assertEquals(redactText(text), text);
  }
});

/** Everything that is told of an error: what is printed of it, of its causes, and its own properties. */
const told = (error: unknown) =>
  Deno.inspect(error, { depth: 10, showHidden: true }) + String(error);

/** Asserts that a text was told which names the place, and no secret. */
function assertMasked(text: string, place: string): void {
  assertStringIncludes(text, place);
  assertEquals(text.match(/.*s3cret.*/g), null);
}

Deno.test("Cache.open() names no credentials of a URL in its errors and their causes", async () => {
  using _token = token("s3cret-token");
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    ({ url }) => new Response(`no: ${url}`, { status: 401 }),
  );
  for (const port of [server.addr.port, 1]) {
    for (const target of [`http://user:s3cret@127.0.0.1:${port}/kv?token=s3cret`]) {
      for (const url of [target, new URL(target)]) {
        const error = await assertRejects(() => Cache.open(url, { callTimeout: 5_000 }));
        assertMasked(told(error), `http://***@127.0.0.1:${port}/kv?token=***`);
        const wrong = await assertRejects(() => Cache.open(url, { shared: false }));
        assertMasked(told(wrong), `***@127.0.0.1:${port}`);
      }
    }
  }
  const other = new URL("ftp://user:s3cret@host/kv");
  assertMasked(told(await assertRejects(() => Cache.open(other))), "ftp://***@host/kv");
  const options = { url: "https://host", accessToken: "s3cret" } as unknown as string;
  assertMasked(told(await assertRejects(() => Cache.open(options))), "an object of class Object");
});

/** Sets the access token of Deno KV for a while. */
function token(value: string): Disposable {
  const before = Deno.env.get("DENO_KV_ACCESS_TOKEN");
  Deno.env.set("DENO_KV_ACCESS_TOKEN", value);
  return {
    [Symbol.dispose]() {
      if (before === undefined) Deno.env.delete("DENO_KV_ACCESS_TOKEN");
      else Deno.env.set("DENO_KV_ACCESS_TOKEN", before);
    },
  };
}

Deno.test("addresses of brokers with credentials are refused, and the credentials are not shown", () => {
  for (
    const address of [
      "user:s3cret@host:9092",
      "kafka://user:s3@s3cret@host:9092",
      "s3cret@host:9092",
    ]
  ) {
    const options = { brokers: ["localhost:9092", address] };
    for (
      const use of [
        () => new Topic("emoji", options),
        () => new App().configure(options),
        () => new KafkaBroker(options),
      ]
    ) {
      const error = assertThrows(use, TypeError, 'has credentials, which belong in "sasl"');
      assertMasked(told(error), '"***@host:9092"');
    }
  }
});

Deno.test("Topic.config masks what looks like credentials in any text", () => {
  const topic = new Topic("emoji", {
    clientId: "https://user:s3cret@host",
    ssl: { ca: ["authority"], servername: "me:s3cret@host:1", key: "s3cret" },
    sasl: {
      mechanism: "oauthbearer",
      oauthBearerProvider: () => Promise.resolve({ value: "s3cret" }),
    },
    brokers: ["localhost:9092"],
  });
  assertMasked(told(topic) + told(topic.config) + JSON.stringify(topic.config), "https://***@host");
});

Deno.test("errors of what users give name no credentials", () => {
  const url = "https://user:s3cret@host/events";
  const address = "user:s3cret@host:9092";
  const app = new App();
  const wrong: [() => unknown, string][] = [
    [() => app.handle([1], () => {}, { sink: url as never }), "https://***@host/events"],
    [() => app.handle([1], () => {}, { sink: address as never }), "***@host:9092"],
    [() => app.handle([1], url as never), "https://***@host/events"],
    [() => app.pause(new URL(url) as never), "an object of class URL"],
    [() => app.pause(url), "https://***@host/events"],
    [() => new Topic(url), "https://***@host/events"],
    [() => new Topic("emoji", address as never), "got ***@host:9092"],
  ];
  for (const [use, place] of wrong) assertMasked(told(assertThrows(use, TypeError)), place);
});

Deno.test("the message of an error in a flow, which is logged, names no credentials; its cause is the user's", async () => {
  const events: StatusEvent[] = [];
  const cause = new Error(
    "error sending request for url (https://user:s3cret@host/?apiKey=s3cret)",
  );
  const app = new App({ onStatus: (event) => events.push(event) });
  app.handle([1], () => {
    throw cause;
  });
  const error = await assertRejects(() => app.stream(), Error);
  assert(error.cause === cause);
  const messages = events.flatMap((event) =>
    event.type === "error" ? [(event.error as Error).message] : []
  );
  assertMasked([error.message, ...messages].join(), "(https://***@host/?apiKey=***)");
});

Deno.test("a KafkaError names no credentials that kafkajs reports", () => {
  const reported = new Error("getaddrinfo ENOTFOUND user:s3cret@host:9092");
  assertMasked(toKafkaError("Cannot connect", reported).message, "ENOTFOUND ***@host:9092");
});
