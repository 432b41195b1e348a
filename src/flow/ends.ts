import { END, type Feed, type FeedSource, openFeed, WAIT } from "./feed.ts";
import { STOPPED } from "./lane.ts";
import { Receipt } from "./receipt.ts";
import { UNBUFFERED } from "./turn.ts";

/** A flow between two ends. */
export interface Running {
  /** Resolves at the end of the flow, or rejects with what was thrown in it. */
  readonly ended: Promise<void>;
  /** Takes no more messages. */
  stop(): void;
}

/** The end of a flow as a `ReadableStream`: the flow waits until each value has been read. */
export class Outflow<T> {
  readonly readable: ReadableStream<T>;
  readonly #run: (write: (value: T) => Promise<void>) => Running;
  #running: Running | undefined;
  #controller!: ReadableStreamDefaultController<T>;
  #reading = Promise.withResolvers<void>();

  /** `run` starts the flow into the function that it is given. */
  constructor(run: (write: (value: T) => Promise<void>) => Running) {
    this.#run = run;
    this.readable = new ReadableStream<T>({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => {
        this.start();
        this.#reading.resolve();
      },
      cancel: async () => {
        this.#reading.promise.catch(() => {}); // nobody waits, if the flow is not writing
        this.#reading.reject(STOPPED);
        const running = this.#running;
        running?.stop();
        await running?.ended;
      },
    }, UNBUFFERED);
  }

  /** Starts the flow, once. */
  start(): Running {
    if (this.#running !== undefined) return this.#running;
    const running = this.#running = this.#run((value) => this.#write(value));
    running.ended.then(() => this.#close(), (error) => this.#controller.error(error));
    return running;
  }

  #close(): void {
    try {
      this.#controller.close();
    } catch {
      // cancelled by its reader, who knows
    }
  }

  /** Waits for somebody who reads, and hands the value over. */
  async #write(value: T): Promise<void> {
    await this.#reading.promise;
    this.#reading = Promise.withResolvers();
    this.#controller.enqueue(value);
  }
}

/** The beginning of a flow as a `WritableStream`: a write resolves when the message is done. */
export class Inflow<T> implements FeedSource<T>, Feed<T> {
  receipt: Receipt | undefined;
  #next: { readonly message: T; readonly receipt: Receipt } | undefined;
  #ended = false;
  #wake: () => void = () => {};

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

  /** The stream that feeds `running`. */
  writable(running: Running): WritableStream<T> {
    return new WritableStream<T>({
      start: (controller) => {
        running.ended.catch((error) => controller.error(error));
      },
      write: (message) =>
        Promise.race([
          new Promise<void>((done) => this.#give({ message, receipt: new Receipt(done) })),
          running.ended,
        ]),
      close: () => {
        this.#ended = true;
        this.#wake();
        return running.ended;
      },
      abort: async () => {
        running.stop();
        await running.ended.catch(() => {}); // it was given up on
      },
    });
  }

  #give(next: { readonly message: T; readonly receipt: Receipt }): void {
    this.#next = next;
    this.#wake();
  }
}
