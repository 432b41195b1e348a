/** What takes real seconds: brokers that are away, killed, frozen, or refuse us; members that freeze, die or get stuck. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { TextLineStream } from "@std/streams/text-line-stream";
import { KafkaServer } from "../../scripts/kafka/server.ts";
import { freePorts } from "../../scripts/kafka/ports.ts";
import { KafkaError } from "../../src/kafka/client/errors.ts";
import { KafkaBroker } from "../../src/kafka/kafkajs/broker.ts";
import type { TopicOptions } from "../../src/kafka/topic/topic_options.ts";
import type { BrokerStatus } from "../../src/kafka/client/status.ts";
import { Topic } from "../../src/kafka/topic/topic.ts";
import { App } from "../../mod.ts";
import { FeedDriver } from "../_support/feed_driver.ts";
import { GroupReader } from "../_support/group_reader.ts";
import { brokers, kafkaTest, ownKafkaTest, unique } from "../_support/kafka.ts";
import { muteBroker } from "../_support/mute_broker.ts";
import { openProducer, record, texts, write } from "../_support/records.ts";
import { Recorder } from "../_support/recorder.ts";

const QUICK: TopicOptions = {
  offset: "earliest",
  sessionTimeout: 2_000,
  heartbeatInterval: 200,
  maxWaitTimeInMs: 100,
  requestTimeout: 2_000,
};

Deno.test("Topic says that the brokers are away, and gives up after startTimeout", async () => {
  const statuses: BrokerStatus[] = [];
  await using topic = new Topic("emoji", {
    brokers: [`127.0.0.1:${freePorts(1)[0]}`],
    groupId: "g",
    startTimeout: 500,
    onStatus: (status) => void statuses.push(status),
  });
  const error = await assertRejects(() => topic.send(["k", "v"]), KafkaError, "after 500 ms");
  assertEquals([error.retriable, statuses.map(({ type }) => type)], [true, ["away"]]);
  await assertRejects(() => topic[Symbol.asyncIterator]().next(), KafkaError, "after 500 ms");
});

kafkaTest("a broker that answers nothing keeps nobody from those named after it", async () => {
  await using mute = muteBroker();
  const name = unique("mute");
  const named = [mute.address, ...brokers];
  await using broker = new KafkaBroker({ brokers: named, requestTimeout: 500 });
  await broker.ensure(name, { partitions: 1 });
  const met = mute.connections.length;
  const producer = await openProducer(broker, name);
  await producer.send(record("k", "v"));
  await using reader = await GroupReader.join(broker, { topic: name, groupId: name });
  await reader.until(({ seen }) => seen.length === 1, 20_000);
  await producer.close();
  assertEquals([met, mute.connections.length], [1, 1]); // once it is known, nobody begins with it
});

ownKafkaTest(
  "committed() of a broker without groups waits until its coordinator is loaded",
  async () => {
    await using server = await KafkaServer.start();
    await using broker = new KafkaBroker({ brokers: server.brokers });
    await broker.ensure("emoji", { partitions: 1 });
    const groups = Array.from({ length: 8 }, () => unique("group"));
    const committed = await Promise.all(groups.map((group) => broker.committed(group, "emoji")));
    assertEquals(committed.map(({ size }) => size), groups.map(() => 0));
  },
);

ownKafkaTest("Topic goes on after the broker was killed and came back: nothing lost", async () => {
  await using server = await KafkaServer.start();
  const name = unique("killed");
  const options = { ...QUICK, brokers: server.brokers, groupId: name };
  await using topic = new Topic(name, options);
  await topic.ensure({ partitions: 2 });
  await using driver = new FeedDriver(topic);
  const sent: Promise<unknown>[] = [];
  let i = 0;
  const timer = setInterval(() => sent.push(topic.send([`k${i}`, String(i++)])), 20);
  await driver.until((messages) => messages.length > 20);
  await server.kill();
  await new Promise((resolve) => setTimeout(resolve, 30_000));
  await server.restart();
  const atReturn = i;
  await driver.until((messages) => messages.some(({ value }) => Number(value) > atReturn));
  clearInterval(timer);
  await Promise.all(sent);
  await driver.until((messages) => new Set(messages.map(({ value }) => value)).size === i);
  await driver.commit();
  const committed = [...(await topic.offsets()).values()];
  assertEquals(committed.map(({ high, committed }) => high - committed!), [0, 0]);
});

for (const how of ["kill", "freeze"] as const) {
  const was = how === "kill" ? "killed" : "frozen";
  ownKafkaTest(
    `a flow goes on after the broker of its sink was ${was} for longer than flushTimeout`,
    async () => {
      await using server = await KafkaServer.start();
      const { brokers } = server;
      await using out = new Topic(unique("out"), { ...QUICK, brokers, groupId: unique("g") });
      await out.ensure({ partitions: 1 });
      const source = new Recorder<number>([], { open: true });
      const committed = Promise.withResolvers<void>();
      source.onCommit = () => committed.resolve();
      const app = new App({ commit: { interval: 50, flushTimeout: 500 } });
      app.handle(source, (n) => ["k", String(n)] as const, { sink: out });
      const streaming = app.stream();
      let count = 0;
      const timer = setInterval(() => source.push(count++), 10);
      await committed.promise;
      await (how === "kill" ? server.kill() : server.freeze());
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      const atReturn = count;
      await (how === "kill" ? server.restart() : server.thaw());
      clearInterval(timer);
      source.end();
      await streaming;
      assert(atReturn > 50, `${atReturn} messages came while the broker was away`);
      assertEquals(source.committed.at(-1), count);
      const values = new Set<string>();
      for await (const { value } of out) {
        if (values.add(value).size === count) break;
      }
      assertEquals([...values], texts("", count)); // in order; what was in flight may be there twice
    },
  );
}

ownKafkaTest("Topic goes on after the broker was frozen for longer than the session", async () => {
  await using server = await KafkaServer.start();
  const name = unique("frozen");
  await using topic = new Topic(name, { ...QUICK, brokers: server.brokers, groupId: name });
  await topic.send(["k", "before"]);
  await using driver = new FeedDriver(topic);
  await driver.until((messages) => messages.length === 1);
  await server.freeze();
  const sent = topic.send(["k", "meanwhile"]);
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  await server.thaw();
  await sent;
  await driver.until((messages) => messages.some(({ value }) => value === "meanwhile"));
});

const program = (name: string) => new URL(`../_support/${name}.ts`, import.meta.url).pathname;

/** A program that uses a topic until it is told to close it. */
class Closing {
  readonly #way: string;
  readonly #child: Deno.ChildProcess;

  constructor(way: string, broker: string, topic: string) {
    const args = ["run", "-A", program("closing_program"), broker, topic, way];
    this.#way = way;
    const pipes = { stdin: "piped", stdout: "piped", stderr: "null" } as const;
    this.#child = new Deno.Command(Deno.execPath(), { args, ...pipes }).spawn();
  }

  /** Resolves when it uses the topic. */
  async ready(): Promise<void> {
    const said = await this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader().read();
    assertEquals(said.value, "ready\n", this.#way);
  }

  /** Tells it to close the topic, and resolves to whether it has ended within `ms` milliseconds. */
  async close(ms: number): Promise<[string, boolean]> {
    await new Blob(["close\n"]).stream().pipeTo(this.#child.stdin);
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), ms);
    const { success } = await this.#child.status;
    clearTimeout(timer);
    return [this.#way, success];
  }
}

const WAS = { kill: "killed", freeze: "frozen" };
const WAYS = ["iterate", "member", "commit", "send", "ask", "connect"];

for (const how of ["kill", "freeze"] as const) {
  for (const later of [0, 3_000]) {
    const after = later === 0 ? "at once" : `after ${later} ms`;
    ownKafkaTest(
      `a process that closes its topics ${after} ends, though its broker was ${WAS[how]}`,
      async () => {
        await using server = await KafkaServer.start();
        const [address] = server.brokers as [string];
        const topic = unique("closing");
        {
          await using broker = new KafkaBroker({ brokers: server.brokers });
          await broker.ensure(topic, { partitions: 2 });
          await write(broker, topic, texts("v", 5));
        }
        const programs = WAYS.map((way) => new Closing(way, address, topic));
        await Promise.all(programs.map((closing) => closing.ready()));
        await server[how]();
        await new Promise((resolve) => setTimeout(resolve, later));
        const ended = await Promise.all(programs.map((closing) => closing.close(20_000)));
        if (how === "freeze") await server.thaw();
        assertEquals(ended, WAYS.map((way) => [way, true]));
      },
    );
  }
}

ownKafkaTest(
  "a process that was frozen has its commit refused, and joins again; one killed is replaced",
  async () => {
    await using server = await KafkaServer.start();
    await using broker = new KafkaBroker({ brokers: server.brokers });
    const topic = unique("member");
    await broker.ensure(topic, { partitions: 1 });
    await write(broker, topic, texts("v", 5));
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", program("frozen_member"), server.brokers[0]!, topic, topic],
      stdout: "piped",
    }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(
      new TextLineStream(),
    )
      .getReader();
    const until = async (expected: string) => {
      for (let line = await lines.read(); !line.done; line = await lines.read()) {
        if (line.value === expected) return;
      }
      throw new Error(`The member never said "${expected}"`);
    };
    await until("message 4");
    child.kill("SIGSTOP");
    const options = { topic, groupId: topic, sessionTimeout: 1_500, heartbeatInterval: 200 };
    await using other = await GroupReader.join(broker, options);
    await other.until(({ seen }) => seen.length === 5);
    assertEquals(await other.commit(), "committed");
    child.kill("SIGCONT");
    await until("commit fenced");
    assertEquals([...await broker.committed(topic, topic)], [[0, 5]]);
    await other.until(({ assignments }) => assignments.length >= 2);
    child.kill("SIGKILL");
    await other.until(({ assignment }) =>
      assignment!.generation >= 2 && assignment!.partitions.length === 1
    );
    await lines.cancel();
    await child.status;
  },
);

kafkaTest(
  "a stuck handler gives its partitions to others, and joins again when it is done",
  async () => {
    const name = unique("stuck");
    const options = { ...QUICK, brokers, groupId: name, processingTimeout: 500 };
    await using topic = new Topic(name, options);
    await topic.send(["k", "a"]);
    const [handling, left, back] = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
    let assigned = 0;
    const onStatus = ({ type }: BrokerStatus) => {
      if (type === "stuck") left!.resolve();
      if (type === "assigned" && ++assigned === 2) back!.resolve();
    };
    await using reading = new Topic(name, { ...options, onStatus });
    await using _first = new FeedDriver(reading, { handle: () => handling!.promise });
    await using other = new Topic(name, options);
    try {
      await left!.promise;
      await using second = new FeedDriver(other);
      await second.until((messages) => messages.length === 1);
      await second.commit();
      handling!.resolve();
      await back!.promise;
    } finally {
      handling!.resolve();
    }
    assertEquals((await topic.lag()).get(0), 0);
    // A client of kafkajs that leaves a group may be about to repeat a request: its timer cannot be cleared.
    await new Promise((resolve) => setTimeout(resolve, 4_000));
  },
);

ownKafkaTest("a wrong password is refused at once", async () => {
  const jaas = "org.apache.kafka.common.security.plain.PlainLoginModule required " +
    'username="admin" password="secret" user_admin="secret" user_me="right";';
  await using server = await KafkaServer.start({
    properties: {
      "listener.security.protocol.map": "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
      "sasl.enabled.mechanisms": "PLAIN",
      "sasl.mechanism.inter.broker.protocol": "PLAIN",
      "listener.name.plaintext.plain.sasl.jaas.config": jaas,
    },
  });
  const sasl = (password: string) => ({ mechanism: "plain", username: "me", password }) as const;
  await using wrong = new Topic("emoji", { brokers: server.brokers, sasl: sasl("wrong") });
  const started = performance.now();
  const error = await assertRejects(() => wrong.send(["k", "v"]), KafkaError, "Cannot connect");
  assertEquals([error.retriable, performance.now() - started < 5_000], [false, true]);
  await using right = new Topic("emoji", { brokers: server.brokers, sasl: sasl("right") });
  assertEquals((await right.send(["k", "v"])).offset, 0);
});

ownKafkaTest("a certificate of an unknown authority is refused at once", async () => {
  const folder = await Deno.makeTempDir();
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const keytool = async (...args: string[]) => {
    const store = [
      "-keystore",
      `${folder}/store.p12`,
      "-storepass",
      "password",
      "-alias",
      "broker",
    ];
    const output = await new Deno.Command("keytool", { args: [...args, ...store] }).output();
    assert(output.success, new TextDecoder().decode(output.stdout));
    return new TextDecoder().decode(output.stdout);
  };
  const names = ["-dname", "CN=localhost", "-ext", "san=dns:localhost,ip:127.0.0.1"];
  await keytool("-genkeypair", "-keyalg", "EC", "-validity", "2", ...names);
  const ca = await keytool("-exportcert", "-rfc");
  await Deno.chmod(folder, 0o755); // in a container the broker is another user
  const [secure] = freePorts(1);
  await using server = await KafkaServer.start({
    listeners: { SECURE: secure! },
    reads: [folder],
    properties: {
      "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SSL",
      "inter.broker.listener.name": "PLAINTEXT",
      "ssl.keystore.type": "PKCS12",
      "ssl.keystore.location": `${folder}/store.p12`,
      "ssl.keystore.password": "password",
      "ssl.key.password": "password",
    },
  });
  void server;
  const addresses = [`127.0.0.1:${secure}`];
  await using wrong = new Topic("emoji", { brokers: addresses, ssl: true });
  const started = performance.now();
  const error = await assertRejects(() => wrong.send(["k", "v"]), KafkaError, "Cannot connect");
  assertEquals(
    [error.retriable, performance.now() - started < 5_000],
    [false, true],
    error.message,
  );
  await using right = new Topic("emoji", {
    brokers: addresses,
    ssl: { ca, servername: "localhost" },
  });
  assertEquals((await right.send(["k", "v"])).offset, 0);
});
