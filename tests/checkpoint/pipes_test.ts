import { assertRejects } from "@std/assert";
import { App, batch, Checkpoint, Dependency } from "../../mod.ts";
import type { Question } from "../_support/join_world.ts";
import { Log, type LogMessage, LogSource } from "../_support/log_source.ts";

type Asked = LogMessage<Question>;

/** An opaque pipe. */
async function* pairs(messages: AsyncIterable<Asked>): AsyncGenerator<Asked[]> {
  const pair: Asked[] = [];
  for await (const message of messages) {
    if (pair.push(message) === 2) yield pair.splice(0);
  }
}

for (
  const [name, pipe] of Object.entries({ "batch()": batch<Asked>(2), "a pipe function": pairs })
) {
  Deno.test(`Checkpoint with correct refuses a pulse behind ${name}, which hides the messages`, async () => {
    const log = new Log<Question>();
    const questions = new LogSource(log);
    const checkpoint = new Checkpoint("questions", {
      dependent: questions,
      dependencies: [new Dependency("weather", new LogSource(new Log<Question>()))],
      correct: true,
    });
    const app = new App();
    app.handle(questions, ([first]) => checkpoint.checkPulse(first!.value.time), {
      name: "answers",
      pipe,
    });
    for (const time of [1, 2]) log.append({ time });
    await assertRejects(
      () => app.stream(),
      Error,
      'Cannot correct results of checkpoint "questions": what checkPulse() was called for in flow ' +
        '"answers" has no partition and offset; batch(), pipe functions and TransformStreams in ' +
        "front of it hide them, so use map() and filter()",
    );
  });
}
