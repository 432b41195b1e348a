import { assertRejects } from "@std/assert";
import { App, batch, Checkpoint, Dependency } from "../../mod.ts";
import type { Question } from "../_support/join_world.ts";
import { Log, type LogMessage, LogSource } from "../_support/log_source.ts";

Deno.test("Checkpoint with correct refuses a pulse behind batch(), which hides the messages", async () => {
  const log = new Log<Question>();
  const questions = new LogSource(log);
  const checkpoint = new Checkpoint("questions", {
    dependent: questions,
    dependencies: [new Dependency("weather", new LogSource(new Log<Question>()))],
    correct: true,
  });
  const app = new App();
  app.handle(
    questions,
    batch<LogMessage<Question>>(2, 1000),
    ([first]) => checkpoint.checkPulse(first!.value.time),
    {
      name: "answers",
    },
  );
  for (const time of [1, 2]) log.append({ time });
  await assertRejects(
    () => app.stream(),
    Error,
    'Cannot correct results of checkpoint "questions": the message in flow "answers" for which ' +
      "checkPulse() was called has no partition and offset; a batch() before it hides them: use map() and filter()",
  );
});
