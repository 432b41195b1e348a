/** Messages that do not decode, in the engine, on every broker. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { App, CodecError, type FlowFailure, JsonCodec } from "../../mod.ts";
import { committedOf, RARELY, untilStopped } from "../_support/topic_app.ts";
import { kafka, memory, testOn, type TopicFixture } from "../_support/topic_fixture.ts";

function testCodecs(fixture: TopicFixture): void {
  const test = testOn(fixture);

  test("stops by default at a message that does not decode, and says where", async ({ name, make }) => {
    const topic = make({ codec: new JsonCodec<number>() });
    for (const value of [0, 1]) await topic.send({ key: "k", value });
    await make().send({ key: "k", value: "{" });
    const app = new App({ commit: RARELY });
    const seen: number[] = [];
    app.handle(topic, ({ value }) => void seen.push(value));
    const error = await assertRejects(() => app.stream(), CodecError);
    assertEquals([error.topic, error.partition, error.offset], [name, 0, 2]);
    assertEquals(new TextDecoder().decode(error.bytes), "{");
    assertEquals(await committedOf(topic), [2]);
    await topic.send({ key: "k", value: 3 });
    await assertRejects(() => app.stream(), CodecError, "offset 2");
    assertEquals(seen, [0, 1]);
  });

  for (const where of ["the handler", "a sink", "a codec that answers with promises"] as const) {
    test(`skips and dead-letters what does not decode, read by ${where}`, async ({ make }) => {
      const json = new JsonCodec<number>();
      const codec = where.startsWith("a codec")
        ? {
          encode: (value: number) => json.encode(value),
          decode: async (bytes: Uint8Array) => await json.decode(bytes),
        }
        : json;
      const topic = make({ codec });
      await topic.send({ key: "k", value: 0 });
      await make().send({ key: "k", value: "{" });
      await topic.send({ key: "k", value: 2 });
      for (const policy of ["skip", "dead letter", "retry, then skip", "chosen"] as const) {
        const { signal, stop } = untilStopped();
        const failed: FlowFailure[] = [];
        const seen: number[] = [];
        const note = (value: number) => {
          if (seen.push(value) === 2) stop();
        };
        const app = new App({ commit: RARELY });
        const deadLetter = (error: FlowFailure) => void failed.push(error);
        const onError = policy === "skip"
          ? "skip"
          : policy === "dead letter"
          ? { deadLetter }
          : policy === "chosen"
          ? (error: FlowFailure) => {
            failed.push(error);
            return "skip" as const;
          }
          : { retry: { attempts: 2, minDelay: 1, maxDelay: 1 }, otherwise: { deadLetter } };
        if (where === "a sink") {
          app.handle(topic, (message) => message, { sink: ({ value }) => note(value), onError });
        } else app.handle(topic, ({ value }) => note(value), { onError });
        await topic.seek("earliest");
        await app.stream({ signal });
        assertEquals(seen, [0, 2]);
        assertEquals(await committedOf(topic), [3]);
        assertEquals(failed.length, policy === "skip" ? 0 : 1);
        for (const error of failed) {
          assertInstanceOf(error, CodecError);
          assertEquals([error.partition, error.offset], [0, 1]);
          assertEquals(new TextDecoder().decode(error.bytes), "{");
        }
      }
    });
  }

  test("tells each of two flows of its own CodecError, with flow, source and place", async ({ name, make }) => {
    const topic = make({ codec: new JsonCodec<number>() });
    await make().send({ key: "k", value: "{" });
    const { signal, stop } = untilStopped();
    const app = new App({ commit: RARELY });
    const met: FlowFailure[] = [];
    for (const flow of ["one", "two"]) {
      app.handle(topic, ({ value }) => value, {
        name: flow,
        onError(error) {
          if (met.push(error) === 2) stop();
          return "skip";
        },
      });
    }
    await app.stream({ signal });
    assertEquals(met.map(({ flow }) => flow).sort(), ["one", "two"]);
    for (const error of met) {
      assertInstanceOf(error, CodecError);
      assert(error.message.includes(`in flow "${error.flow}" of topic "${name}"`), error.message);
      assertEquals([error.topic, error.partition, error.offset], [name, 0, 0]);
      assertEquals(new TextDecoder().decode(error.bytes), "{");
      assertEquals((error.root as { offset: number }).offset, 0);
      assertInstanceOf(error.cause, SyntaxError);
      assert(error.source?.includes("Topic") || error.source?.includes(name), error.source);
    }
  });

  test("keeps the handler's own error of a message whose key does not decode", async ({ make }) => {
    const topic = make({ keyCodec: new JsonCodec<number>() });
    await make().send({ key: "{", value: "v" });
    const app = new App({ commit: RARELY });
    app.handle(topic, () => {
      throw new Error("of the handler");
    });
    const error = await assertRejects(() => app.stream(), Error, "of the handler");
    assert(!(error instanceof CodecError));
  });
}

testCodecs(memory);
testCodecs(kafka);
