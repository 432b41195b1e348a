import { App, type Source } from "../../mod.ts";

/** Streams `source` to its end and returns the messages that a handler got. */
export async function messagesOf<T>(source: Source<T>): Promise<T[]> {
  const messages: T[] = [];
  const app = new App();
  app.handle(source, (message) => void messages.push(message));
  await app.stream();
  return messages;
}
