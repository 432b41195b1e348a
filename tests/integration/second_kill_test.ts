import { assertEquals, assertStringIncludes } from "@std/assert";
import { TextLineStream } from "@std/streams/text-line-stream";
import { Cache } from "../../mod.ts";
import { Topic } from "../../src/kafka/mod.ts";
import { brokers, foreignClient, kafkaTest, unique } from "../_support/kafka.ts";
import { temporaryFolder } from "../_support/temporary.ts";

const PARTITIONS = 4;
const MESSAGES = 400;

kafkaTest(
  "a program with exact state that is killed twice, the second time while it joins, starts again",
  async () => {
    await using world = await World.open();
    // Each joins while the group still waits for the first.
    const session = 5_000;
    await using first = world.start("first", session);
    await first.until("started");
    first.kill("SIGKILL");
    await using second = world.start("second", session);
    await until(async () => second.said("waiting") || (await world.members()).length === 2);
    second.kill("SIGKILL");
    await using third = world.start("third", session);
    await third.until("started");
    await world.allCommitted();
    third.kill("SIGTERM");
    assertEquals(await third.exit, 0);
    assertEquals(await world.total("third"), MESSAGES);
  },
);

kafkaTest("a reader that is closed while it joins leaves its group", async () => {
  await using world = await World.open();
  await using first = world.start("state");
  await first.until("started");
  await world.hasMembers(1);
  const [old] = await world.members();
  first.kill("SIGSTOP"); // who joins now waits for it
  await using other = new Topic(world.input, world.options);
  const next = other[Symbol.asyncIterator]().next();
  await world.hasMembers(2);
  await other.close();
  await next;
  assertEquals((await world.members()).filter((member) => member !== old), []);
});

kafkaTest(
  "a newcomer with exact state fails beside a live member, which goes on",
  async () => {
    await using world = await World.open();
    await using first = world.start("state");
    await first.until("started");
    await using second = world.start("other");
    await second.until("waiting");
    assertEquals(await second.exit, 1);
    assertStringIncludes(second.errors, "it is read by another member of group");
    assertStringIncludes(
      second.errors,
      "a member that was killed counts until its session times out",
    );
    await world.send(MESSAGES);
    await world.allCommitted();
    first.kill("SIGTERM");
    assertEquals(await first.exit, 0);
    assertEquals(await world.total("state"), 2 * MESSAGES);
  },
);

kafkaTest(
  "a newcomer with exact state that is stopped while it waits ends in good order",
  async () => {
    await using world = await World.open();
    await using first = world.start("state");
    await first.until("started");
    await using second = world.start("other", 20_000);
    await second.until("waiting");
    second.kill("SIGTERM");
    assertEquals([await second.exit, second.errors], [0, ""]);
  },
);

kafkaTest("of two programs with exact state that start at once, one goes on", async () => {
  await using world = await World.open();
  const states = ["a", "b"];
  await using a = world.start("a");
  await using b = world.start("b");
  const programs = [a, b];
  const failed = await Promise.any(programs.map(async (program, index) => {
    if (await program.exit !== 1) throw new Error("it was stopped");
    return index;
  }));
  await world.allCommitted();
  const other = 1 - failed;
  programs[other]!.kill("SIGTERM");
  assertEquals(await programs[other]!.exit, 0);
  assertEquals(await world.total(states[other]!), MESSAGES);
});

kafkaTest(
  "a newcomer without exact state gets nothing beside a live member with it, which goes on",
  async () => {
    await using world = await World.open();
    await using first = world.start("state");
    await first.until("started");
    await using other = new Topic(world.input, { ...world.options, offset: "earliest" });
    const reading = other[Symbol.asyncIterator]();
    const next = reading.next();
    next.catch(() => {});
    await world.hasMembers(2);
    await world.send(MESSAGES);
    await world.allCommitted();
    first.kill("SIGTERM");
    assertEquals(await first.exit, 0);
    assertEquals(await world.total("state"), 2 * MESSAGES);
    await world.send(1);
    assertEquals((await next).value?.value, "0"); // now it is its turn
    await reading.return();
  },
);

/** Resolves when `condition` holds; fails when it does not within 20 s. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 20_000; !await condition();) {
    if (performance.now() > end) throw new Error(`Never: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Two topics, a group, and the programs that read in it. */
class World implements AsyncDisposable {
  readonly input = unique("second-kill");
  readonly output = unique("second-kill-out");
  readonly options = {
    brokers,
    groupId: this.input,
    sessionTimeout: 1_500,
    heartbeatInterval: 200,
  };
  readonly #folder: AsyncDisposable & { path: string };
  readonly #topic = new Topic(this.input, this.options);
  readonly #admin = foreignClient().admin();

  private constructor(folder: AsyncDisposable & { path: string }) {
    this.#folder = folder;
  }

  static async open(): Promise<World> {
    const world = new World(await temporaryFolder());
    await world.#admin.connect();
    await world.#topic.ensure({ partitions: PARTITIONS });
    await using output = new Topic(world.output, { brokers });
    await output.ensure({ partitions: 1 });
    await world.send(MESSAGES);
    return world;
  }

  async send(count: number): Promise<void> {
    const numbers = Array.from({ length: count }, (_, n) => n);
    await Promise.all(numbers.map((n) => this.#topic.send({ key: `key ${n % 7}`, value: `${n}` })));
  }

  /** Starts a program that counts with a state of that name, in the group. */
  start(state: string, session = this.options.sessionTimeout): Program {
    const path = `${this.#folder.path}/${state}`;
    return new Program([brokers.join(","), this.input, this.output, path, `${session}`]);
  }

  /** The members of the group. */
  async members(): Promise<string[]> {
    const { groups } = await this.#admin.describeGroups([this.input]);
    return groups[0]!.members.map(({ memberId }) => memberId);
  }

  /** Resolves when the group has so many members. */
  hasMembers(count: number): Promise<void> {
    return until(async () => (await this.members()).length === count);
  }

  /** Resolves when the group has committed everything. */
  async allCommitted(): Promise<void> {
    await until(async () => [...(await this.#topic.lag()).values()].every((lag) => lag === 0));
  }

  /** How many messages a state has counted. */
  async total(state: string): Promise<number | undefined> {
    await using counts = await Cache.open<number>(`${this.#folder.path}/${state}`, {
      maxBytes: Infinity,
    });
    return await counts.space<number>("total", { maxBytes: Infinity }).get("all");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin.disconnect();
    await this.#topic.close();
    await this.#folder[Symbol.asyncDispose]();
  }
}

/** A program that counts. */
class Program implements AsyncDisposable {
  /** What it has written to its standard error. */
  errors = "";
  /** Its exit code, when it has ended. */
  readonly exit: Promise<number>;
  readonly #child: Deno.ChildProcess;
  readonly #said = new Set<string>();
  #ended = false;

  constructor(args: string[]) {
    const script = new URL("../_support/counting_program.ts", import.meta.url).href;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--unstable-kv", script, ...args],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.exit = this.#read();
  }

  async #read(): Promise<number> {
    const { stdout, stderr, status } = this.#child;
    const text = () => new TextDecoderStream();
    const lines = stdout.pipeThrough(text()).pipeThrough(new TextLineStream());
    await Promise.all([
      lines.pipeTo(new WritableStream({ write: (word) => void this.#said.add(word) })),
      stderr.pipeThrough(text()).pipeTo(
        new WritableStream({ write: (chunk) => void (this.errors += chunk) }),
      ),
    ]);
    const { code } = await status;
    this.#ended = true;
    return code;
  }

  /** Returns whether it has said `word`. */
  said(word: string): boolean {
    if (!this.#said.has(word) && this.#ended) throw new Error(`It has ended: ${this.errors}`);
    return this.#said.has(word);
  }

  /** Resolves when it says `word`. */
  until(word: string): Promise<void> {
    return until(() => Promise.resolve(this.said(word)));
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) this.#child.kill("SIGKILL");
    await this.exit;
  }
}
