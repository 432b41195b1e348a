import { App, type Cache, MemoryCache, type StatusEvent } from "../../mod.ts";
import type { ExactPipe } from "../../src/flow/stage/exact_pipes.ts";
import type { Source } from "../../src/flow/source/source.ts";
import { ManualClock } from "../../src/testing/mod.ts";
import { count, tumbling, type WindowResult } from "../../src/windows/mod.ts";
import type { Timed } from "./window_source.ts";

export const MINUTE = 60_000;

export const at = (timestamp: number, key = "a"): Timed => ({ key, timestamp });

/** A flow with a window that is read until `stop()`; what it gives is in `seen`. */
export class Running<R> implements AsyncDisposable {
  readonly seen: R[] = [];
  readonly events: StatusEvent[] = [];
  readonly clock: ManualClock;
  readonly app: App;
  readonly #streaming: Promise<void>;

  constructor(
    source: Source<Timed>,
    window: ExactPipe<Timed, WindowResult<string, R>>,
    readonly state: Cache = new MemoryCache({ maxBytes: Infinity }),
    clock: ManualClock = new ManualClock(1_000_000_000),
    toResult: (result: WindowResult<string, R>) => unknown = ({ id, value, revision, final }) => [
      id,
      value,
      revision,
      final,
    ],
  ) {
    this.clock = clock;
    this.app = new App({ clock, onStatus: (event) => this.events.push(event) });
    this.app.handle(source, window, toResult, {
      name: "windows",
      state,
      sink: (result) => this.seen.push(result as R),
    });
    this.#streaming = this.app.stream();
  }

  /** What was given since this was called last. */
  async given(): Promise<unknown[]> {
    for (let round = 0; round < 5; round++) await this.clock.tick(100); // asks for a commit, which others follow
    return this.seen.splice(0);
  }

  async stop(): Promise<void> {
    await Promise.all([this.app.close(), this.clock.tick(10_000)]);
    await this.#streaming;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

export const minutes = (options: object = {}) =>
  tumbling({ size: MINUTE, into: count(), ...options }) as ExactPipe<
    Timed,
    WindowResult<string, number>
  >;
