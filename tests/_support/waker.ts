/** Who reads a source of a test and waits for its next message. */
export class Waker {
  #wake: () => void = () => {};

  /** Calls `wake` once, when there may be something to read. */
  wait(wake: () => void): void {
    this.#wake = wake;
  }

  /** There may be something to read. */
  wake(): void {
    const wake = this.#wake;
    this.#wake = () => {};
    wake();
  }
}
