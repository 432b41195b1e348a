import { type Clock, delay, withDeadline } from "../../clock.ts";
import { redactError } from "../../redact.ts";
import { CacheStorageError } from "../errors.ts";
import { isLocked, isTransient } from "../kv_errors.ts";

const RETRY_MS = 5;
const MAX_RETRY_MS = 100;
/** The longest pause after an attempt that others came before. */
const MAX_PAUSE_MS = 50;

/** Calls to a store that others use too: each is repeated while the file is locked, and has a deadline. */
export class Calls {
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  readonly #place: string;

  /** Gives every call `deadlineMs`; `place` is the store in words. */
  constructor(clock: Clock, deadlineMs: number, place: string) {
    this.#clock = clock;
    this.#deadlineMs = deadlineMs;
    this.#place = place;
  }

  /** The time of day, which rows are dated by. */
  now(): number {
    return this.#clock.now();
  }

  /** Waits a moment after an attempt that others came before; in a while it is the turn of everyone. */
  pause(attempt: number): Promise<void> {
    return delay(this.#clock, this.#clock.random() * Math.min(attempt, MAX_PAUSE_MS));
  }

  /**
   * Calls the store.
   *
   * @throws {CacheStorageError} If there is no answer in time: what was asked may still be done later.
   */
  async call<T>(request: () => Promise<T>): Promise<T> {
    const over = new AbortController();
    const late = () =>
      this.#error(`no answer within ${this.#deadlineMs} ms, the call may still take effect`, true);
    try {
      const answer = this.#repeat(request, over.signal);
      return await withDeadline(this.#clock, this.#deadlineMs, answer, late);
    } catch (error) {
      if (error instanceof CacheStorageError) throw error;
      throw this.#error(error, isTransient(error));
    } finally {
      over.abort();
    }
  }

  async #repeat<T>(request: () => Promise<T>, over: AbortSignal): Promise<T> {
    for (let pause = RETRY_MS;; pause = Math.min(pause * 2, MAX_RETRY_MS)) {
      try {
        return await request();
      } catch (error) {
        if (!isLocked(error) || over.aborted) throw error;
      }
      await delay(this.#clock, this.#clock.random() * pause, over);
    }
  }

  #error(cause: unknown, retriable: boolean): CacheStorageError {
    redactError(cause); // Deno names the URL as it was given
    return new CacheStorageError(`Cannot use the shared cache ${this.#place}`, cause, retriable);
  }
}
