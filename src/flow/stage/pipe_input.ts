/** The messages of an opaque stage, as a pipe function reads them: one at a time, when it asks for one. */
export class PipeInput<T> implements AsyncIterableIterator<T, void, void> {
  /** True when nothing more is given, or nothing more is taken. */
  ended = false;
  /** Called when the stage asks for a message. */
  onAsked: () => void = () => {};

  #wanted: ((result: IteratorResult<T, void>) => void)[] = [];
  #asked: (() => void) | undefined;

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** True when the stage waits for a message. */
  get asking(): boolean {
    return this.#wanted.length > 0;
  }

  /** For the stage: asks for the next message. */
  next(): Promise<IteratorResult<T, void>> {
    if (this.ended) return Promise.resolve({ done: true, value: undefined });
    const { promise, resolve } = Promise.withResolvers<IteratorResult<T, void>>();
    this.#wanted.push(resolve);
    this.onAsked();
    this.#notify();
    return promise;
  }

  /** For the stage: takes nothing more. */
  return(): Promise<IteratorResult<T, void>> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Resolves when the stage asks for a message, or takes none any more. */
  async asks(): Promise<void> {
    while (!this.asking && !this.ended) await new Promise<void>((resolve) => this.#asked = resolve);
  }

  /** Gives a message to a stage that asks for one; resolves when it asks for the next. */
  give(message: T): Promise<void> {
    this.#wanted.shift()?.({ done: false, value: message });
    return this.asks();
  }

  /** Gives nothing more. */
  end(): void {
    this.ended = true;
    for (const resolve of this.#wanted.splice(0)) resolve({ done: true, value: undefined });
    this.#notify();
  }

  #notify(): void {
    const asked = this.#asked;
    this.#asked = undefined;
    asked?.();
  }
}
