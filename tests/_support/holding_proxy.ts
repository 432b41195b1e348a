/** An HTTP server before another one, which can hold requests back and let them go later. */
export class HoldingProxy implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  #holds: (path: string) => boolean = () => false;
  #release: PromiseWithResolvers<void> | undefined;
  #held: PromiseWithResolvers<void> | undefined;
  readonly #answers: Promise<unknown>[] = [];

  /** Stands before the server at `target`. */
  constructor(target: string) {
    const options = { port: 0, hostname: "127.0.0.1", onListen: () => {} };
    this.#server = Deno.serve(options, async (request) => {
      const { pathname } = new URL(request.url);
      const body = await request.arrayBuffer();
      const forward = () =>
        fetch(new URL(pathname, target), {
          method: request.method,
          headers: request.headers,
          body,
        });
      if (!this.#holds(pathname)) return await forward();
      this.#holds = () => false;
      this.#held!.resolve();
      await this.#release!.promise;
      const answer = forward();
      this.#answers.push(answer);
      return await answer;
    });
  }

  /** Where it answers. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Holds the next request back whose path ends so; resolves when it has come. */
  hold(end: string): Promise<void> {
    this.#release = Promise.withResolvers();
    this.#held = Promise.withResolvers();
    this.#holds = (path) => path.endsWith(end);
    return this.#held.promise;
  }

  /** Lets it go, and resolves when the other server has answered. */
  async release(): Promise<void> {
    this.#release!.resolve();
    await this.#release!.promise;
    await Promise.allSettled(this.#answers);
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}
