import type { Side } from "./benchmark.ts";

/**
 * A JavaScript heap and compiler of its own for one benchmark: what ran before it, and in which order,
 * does not change its figures.
 */
export class Isolate implements Disposable {
  readonly #worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });

  /** Runs one round of one side of a benchmark and returns how many messages a second it did. */
  run(name: string, side: Side): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#worker.onmessage = ({ data }: MessageEvent<number>) => resolve(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`${name} failed: ${event.message}`));
    };
    this.#worker.postMessage({ name, side });
    return promise;
  }

  /** Ends the worker. */
  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}
