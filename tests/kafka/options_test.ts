import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { KafkaBroker } from "../../src/kafka/kafkajs/broker.ts";
import { MemoryBroker } from "../../src/kafka/memory/broker.ts";
import { mergeOptions, toSettings } from "../../src/kafka/topic/options.ts";
import type { TopicOptions } from "../../src/kafka/topic/topic_options.ts";
import { Topic } from "../../src/kafka/topic/topic.ts";
import { App, app as defaultApp } from "../../mod.ts";

const broker = new MemoryBroker();

Deno.test("App.configure() sets what topics made afterwards have", () => {
  const app = new App();
  app.configure({ brokers: ["localhost:29091"], groupId: "default-demo" });
  const first = new Topic("emoji", { app, brokers: ["localhost:29092"] });
  const sasl = { mechanism: "plain", username: "myuser", password: "mypass" } as const;
  app.configure({ ssl: true, sasl });
  const second = new Topic("conf", { app, groupId: "demo" });
  assertEquals(first.config, { brokers: ["localhost:29092"], groupId: "default-demo" });
  assertEquals(second.config, {
    brokers: ["localhost:29091"],
    groupId: "demo",
    ssl: true,
    sasl: { mechanism: "plain", username: "myuser", password: "***" },
  });
});

Deno.test("App.configure() of one app says nothing to the topics of others", () => {
  new App().configure({ clientId: "mine" });
  assertEquals(new Topic("emoji").config, {});
  assertEquals(new Topic("emoji", { app: new App() }).config, {});
});

Deno.test("App.configure() of the default app counts for all topics, less than their own app's", () => {
  try {
    defaultApp.configure({ clientId: "everybody", groupId: "all" });
    const app = new App();
    app.configure({ groupId: "mine" });
    assertEquals(new Topic("emoji").config, { clientId: "everybody", groupId: "all" });
    assertEquals(new Topic("emoji", { app }).config, { clientId: "everybody", groupId: "mine" });
  } finally {
    defaultApp.configure({ clientId: undefined, groupId: undefined });
  }
  assertEquals(new Topic("emoji").config, {});
});

Deno.test("App.configure() refuses an unknown name, and what only a topic has", () => {
  const app = new App();
  assertThrows(
    () => app.configure({ groupID: "demo" } as object),
    TypeError,
    'Cannot use option "groupID" of the topics: did you mean "groupId"?',
  );
  assertThrows(() => app.configure({ codec: {} } as object), TypeError, '"codec" of the topics');
  assertEquals(new Topic("emoji", { app }).config, {});
});

Deno.test("Topic.config and a printed Topic show no secret", () => {
  const topic = new Topic("emoji", {
    brokers: ["localhost:9092"],
    ssl: { ca: "authority", key: "s3cret-key", passphrase: "s3cret-phrase" },
    sasl: { mechanism: "scram-sha-256", username: "me", password: "s3cret-password" },
  });
  const printed = Deno.inspect(topic, { depth: 10 }) + Deno.inspect(topic.config, { depth: 10 }) +
    JSON.stringify(topic) + JSON.stringify(topic.config);
  assertEquals(printed.match(/s3cret[^"' ]*/g), null);
  assertEquals(printed.includes("authority"), true);
});

const refused: [string, TopicOptions<string, string>, string][] = [
  ["an unknown name", { brokrs: [] } as object, 'did you mean "brokers"?'],
  [
    "an option of kafkajs",
    { fromBeginning: true } as object,
    'Cannot use option "fromBeginning" of topic "emoji": write offset: "earliest", or "latest" for false',
  ],
  ["no broker", { brokers: [] }, '"brokers" of topic "emoji" as it must be a list of addresses'],
  [
    "an address without a port",
    { brokers: ["localhost"] },
    '"brokers" of topic "emoji" as it must be a list of addresses',
  ],
  ["a group whose name UTF-8 cannot hold", { groupId: "\ud83d" }, "half of a surrogate pair"],
  [
    "a group without a name",
    { groupId: "" },
    '"groupId" of topic "emoji" as it must be a string that is not empty',
  ],
  [
    "a timeout of 0",
    { sessionTimeout: 0 },
    '"sessionTimeout" of topic "emoji" as it must be a duration of whole milliseconds >= 1',
  ],
  ["a fraction", { batchSize: 1.5 }, '"batchSize" of topic "emoji" as it must be an integer >= 1'],
  [
    "a memory of 0 bytes",
    { bufferMemory: 0 },
    '"bufferMemory" of topic "emoji" as it must be an integer >= 1',
  ],
  [
    "an unknown compression",
    { compression: "zip" as "gzip" },
    '"none", "gzip", "snappy", "lz4" or "zstd"',
  ],
  [
    "a codec without decode()",
    { codec: { encode() {} } as never },
    "an object with encode() and decode()",
  ],
  [
    "an unknown mechanism",
    { sasl: { mechanism: "gssapi" } as never },
    '"sasl" of topic "emoji" as it must be an object',
  ],
  ["a start that is none", { offset: "newest" as "latest" }, 'neither "earliest", "latest"'],
  ["a negative offset", { offset: { 0: -1 } }, "offset must be >= 0: current value is -1"],
  ["a negative time", { offset: { timestamp: -1 } }, "timestamp must be >= 0: -1"],
  [
    "heartbeats slower than the session",
    { heartbeatInterval: 5_000, sessionTimeout: 5_000 },
    '"heartbeatInterval" must be less than "sessionTimeout": 5000 >= 5000',
  ],
];
for (const [what, options, message] of refused) {
  Deno.test(`new Topic() refuses ${what}`, () => {
    assertThrows(() => new Topic("emoji", options), Error, message);
  });
}

Deno.test("new Topic() names no secret in an error", () => {
  const sasl = { mechanism: "plain", username: "me", password: ["s3cret"] } as never;
  const error = assertThrows(() => new Topic("emoji", { sasl }), TypeError);
  assertEquals(error.message.includes("s3cret"), false);
});

Deno.test("new Topic() and App.configure() refuse an unknown name inside ssl and sasl, and show no value", () => {
  const token = { mechanism: "oauthbearer", oauthBearerProvider: () => "s3cret" };
  const nested: [object, string, string][] = [
    [{ ssl: { pasphrase: "s3cret" } }, '"pasphrase" of "ssl"', '"passphrase"?'],
    [
      { ssl: { rejectUnauthorised: false } },
      '"rejectUnauthorised" of "ssl"',
      '"rejectUnauthorized"?',
    ],
    [
      { sasl: { mechanism: "plain", username: "me", pasword: "s3cret" } },
      '"pasword" of "sasl"',
      '"password"?',
    ],
    [{ sasl: { ...token, username: "s3cret" } }, '"username" of "sasl"', '"mechanism"'],
  ];
  for (const [options, name, nearest] of nested) {
    for (
      const [owner, use] of [
        ['topic "emoji"', () => new Topic("emoji", options)],
        ["the topics", () => new App().configure(options)],
        ["the Kafka brokers", () => new KafkaBroker(options)],
      ] as const
    ) {
      const { message } = assertThrows(use, TypeError, `Cannot use option ${name} of ${owner}: `);
      assertEquals([message.includes(nearest), message.includes("s3cret")], [true, false], message);
    }
  }
});

Deno.test("new Topic() refuses a name that Kafka refuses", () => {
  assertThrows(() => new Topic("no such topic!"), TypeError, '"no such topic!"');
});

Deno.test("new Topic() refuses SASL without TLS, except to this machine or when allowed", () => {
  const sasl = { mechanism: "plain", username: "me", password: "secret" } as const;
  assertThrows(
    () => new Topic("emoji", { brokers: ["localhost:9092", "kafka.example:9092"], sasl }),
    TypeError,
    'would send credentials to "kafka.example:9092" unencrypted',
  );
  for (const address of ["localhost:9092", "127.0.0.1:9092", "[::1]:9092"]) {
    new Topic("emoji", { brokers: [address], sasl });
  }
  new Topic("emoji", { brokers: ["kafka.example:9092"], sasl, ssl: true });
  new Topic("emoji", { brokers: ["kafka.example:9092"], sasl, saslWithoutTls: "allow" });
});

Deno.test("Topic says what it lacks for reading and sending", async () => {
  const withoutGroup = new Topic("emoji", { broker });
  await assertRejects(() => withoutGroup[Symbol.asyncIterator]().next(), TypeError, 'a "groupId"');
  const withoutBroker = new Topic("emoji");
  await assertRejects(() => withoutBroker.send(["k", "v"]), TypeError, 'give it "brokers"');
});

Deno.test("a closed Topic says so", async () => {
  const topic = new Topic("emoji", { broker });
  await topic.close();
  await assertRejects(() => topic.send(["k", "v"]), TypeError, "as it is closed");
});

Deno.test("mergeOptions() replaces the defaults' way to the brokers by the topic's own, whichever it is", () => {
  const app = new App();
  app.configure({ broker });
  assertEquals(mergeOptions("emoji", { app, brokers: ["localhost:9092"] }).broker, undefined);
  const other = new App();
  other.configure({ brokers: ["localhost:9092"] });
  assertEquals(mergeOptions("emoji", { app: other, broker }).brokers, undefined);
});

Deno.test("new Topic() refuses a sessionTimeout below the heartbeat's default", () => {
  assertThrows(() => new Topic("emoji", { broker, sessionTimeout: 900 }), RangeError, "900");
});

Deno.test("new KafkaBroker() checks its options as Topic does", () => {
  const brokers = ["kafka.example:9092"];
  const sasl = { mechanism: "plain", username: "me", password: "secret" } as const;
  assertThrows(() => new KafkaBroker({ brokers, sasl }), TypeError, "unencrypted");
  const wrong = { brokrs: brokers } as unknown as { brokers: string[] };
  assertThrows(() => new KafkaBroker(wrong), TypeError, '"brokers"');
});

Deno.test("Topic takes durations in any form, and those by kafkajs's names too", () => {
  const options = {
    broker,
    processingTimeout: { minutes: 10 },
    sessionTimeout: { seconds: 30 },
    linger: Temporal.Duration.from({ milliseconds: 20 }),
  };
  const { processingTimeout, sessionTimeout, linger, deliveryTimeout } = toSettings(
    "emoji",
    mergeOptions("emoji", options),
  );
  assertEquals(
    [processingTimeout, sessionTimeout, linger, deliveryTimeout],
    [600_000, 30_000, 20, 120_000],
  );
  assertThrows(
    () => new Topic("emoji", { broker, heartbeatInterval: { seconds: 30 } }),
    RangeError,
    "30000 >= 10000",
  );
});
