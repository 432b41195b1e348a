import { END, type Feed, type FeedSource, openFeed, WAIT } from "../source/feed.ts";
import { STOPPED } from "./flow_run.ts";
import { Receipt } from "../source/receipt.ts";
import { UNBUFFERED } from "../stage/stage.ts";

/** A flow between two ends. */
export interface Running {
  /** Resolves at the end of the flow, or rejects with what was thrown in it. */
  readonly ended: Promise<void>;
  /** Starts it, once. */
  start(): void;
  /** Takes no more messages; the source gets the `reason`. */
  stop(reason?: unknown): void;
}

/** The end of a flow as a `ReadableStream`: the flow waits until each value has been read. */
export class Outflow<T> {
  #controller!: ReadableStreamDefaultController<T>;
  #asked = Promise.withResolvers<void>();

  /** The stream that `flow` writes to; `onCancel` is called when nobody reads it any more. */
  readable(flow: Running, onCancel: (reason: unknown) => void = () => {}): ReadableStream<T> {
    return new ReadableStream<T>({
      start: (controller) => {
        this.#controller = controller;
        flow.ended.then(() => this.#close(), (error) => this.fail(error));
      },
      pull: () => {
        flow.start();
        this.#asked.resolve();
      },
      cancel: (reason) => {
        this.#refuse();
        onCancel(reason);
        flow.stop(reason);
        flow.start(); // so that a source that was never read is closed, too
        return flow.ended;
      },
    }, UNBUFFERED);
  }

  /** Resolves when somebody waits for a value. */
  asked(): Promise<void> {
    return this.#asked.promise;
  }

  /** Waits for somebody who reads, and hands the value over. */
  async write(value: T): Promise<void> {
    await this.asked();
    this.#asked = Promise.withResolvers();
    this.#controller.enqueue(value);
  }

  /** Fails the stream; what is written to it stays undone. */
  fail(error: unknown): void {
    this.#controller.error(error);
    this.#refuse();
  }

  #refuse(): void {
    this.#asked.promise.catch(() => {}); // nobody waits, if the flow is not writing
    this.#asked.reject(STOPPED);
  }

  #close(): void {
    try {
      this.#controller.close();
    } catch {
      // failed, or cancelled by its reader, who knows
    }
  }
}

/** The beginning of a flow as a `WritableStream`: a write resolves when the message is done. */
export class Inflow<T> implements FeedSource<T>, Feed<T> {
  /** Its receipts only tell when a write is over. */
  readonly positioned = false;
  receipt: Receipt | undefined;
  #controller!: WritableStreamDefaultController;
  #next: { readonly message: T; readonly receipt: Receipt } | undefined;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: () => void = () => {};
  /** Ends the write in flight. */
  #done: () => void = () => {};

  [openFeed](): Feed<T> {
    return this;
  }

  poll(): T | typeof WAIT | typeof END {
    const next = this.#next;
    if (next === undefined) return this.#ended ? END : WAIT;
    this.#next = undefined;
    this.receipt = next.receipt;
    return next.message;
  }

  wait(wake: () => void): void {
    this.#wake = wake;
  }

  cancel(): void {
    this.#ended = true;
  }

  /** The stream that feeds `flow`; `onAbort` is called at once, also while a write is in flight. */
  writable(flow: Running, onAbort: (reason: unknown) => void = () => {}): WritableStream<T> {
    flow.ended.then(() => this.#done(), (error) => this.fail(error));
    flow.start();
    return new WritableStream<T>({
      start: (controller) => {
        this.#controller = controller;
        const { signal } = controller;
        signal.addEventListener("abort", () => onAbort(signal.reason), { once: true });
      },
      write: (message) => this.#write(message),
      close: () => {
        this.#ended = true;
        this.#wake();
        return flow.ended;
      },
      abort: async () => {
        flow.stop();
        await flow.ended.catch(() => {}); // it was given up on
      },
    });
  }

  /** Fails the stream, and the write in flight. */
  fail(error: unknown): void {
    this.#failure = { error };
    this.#controller.error(error);
    this.#done();
  }

  async #write(message: T): Promise<void> {
    await new Promise<void>((done) => {
      this.#done = done;
      this.#next = { message, receipt: new Receipt(() => done()) };
      this.#wake();
    });
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
