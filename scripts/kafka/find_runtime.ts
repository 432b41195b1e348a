import { container } from "./container.ts";
import { java } from "./java.ts";
import type { Runtime } from "./runtime.ts";

/**
 * Finds a way to run a broker; `note` is told why a container engine that is installed is not used.
 *
 * @throws {Error} If there is none; the message says what is missing.
 */
export async function findRuntime(note: (text: string) => void = () => {}): Promise<Runtime> {
  if (Deno.build.os === "windows") {
    throw new Error("No Kafka broker can be started on Windows: set KAFKA_BROKERS");
  }
  const notes: string[] = [];
  const noteAll = (text: string) => {
    notes.push(`; ${text}`);
    note(text);
  };
  const runtime = await container(noteAll) ?? await java(noteAll);
  if (runtime) return runtime;
  throw new Error(
    "No Kafka broker can be started here: set KAFKA_BROKERS, or install docker or podman " +
      `(and start its service), or Java 17 and Maven${notes.join("")}`,
  );
}
