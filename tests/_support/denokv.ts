/** A real KV Connect server for tests: `DENO_KV_URL`, `denokv` on the PATH, or built with `DENOKV_BUILD=1`. */

const TOKEN = "a token for the tests";

/** Why there is no server, or undefined when there is one. */
export async function missingServer(): Promise<string | undefined> {
  if (Deno.env.get("DENO_KV_URL") || await findBinary()) return undefined;
  return "needs DENO_KV_URL, denokv on the PATH, or DENOKV_BUILD=1";
}

/** A server that can be killed and started again. */
export class KvServer implements AsyncDisposable {
  /** Where it answers. */
  readonly url: string;
  readonly #binary: string;
  readonly #folder: string;
  #child: Deno.ChildProcess | undefined;

  private constructor(url: string, binary: string, folder: string) {
    this.url = url;
    this.#binary = binary;
    this.#folder = folder;
  }

  /** Starts a server on a free port; undefined when there is no binary of one. */
  static async start(): Promise<KvServer | undefined> {
    const binary = await findBinary();
    if (binary === undefined) return undefined;
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    const server = new KvServer(`http://127.0.0.1:${port}`, binary, await Deno.makeTempDir());
    Deno.env.set("DENO_KV_ACCESS_TOKEN", TOKEN);
    await server.restart();
    return server;
  }

  /** Starts it again after {@linkcode KvServer.kill}, and resolves when it answers. */
  async restart(): Promise<void> {
    this.#child = new Deno.Command(this.#binary, {
      args: [
        "--sqlite-path",
        `${this.#folder}/db`,
        "serve",
        "--addr",
        new URL(this.url).host,
        "--access-token",
        TOKEN,
      ],
      stdout: "null",
      stderr: "null",
    }).spawn();
    for (;;) {
      const answer = await fetch(this.url).catch(() => undefined);
      await answer?.body?.cancel();
      if (answer) return;
    }
  }

  /** Kills it with SIGKILL. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.status;
    this.#child = undefined;
  }

  /** Ends it and removes what it stored. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

async function findBinary(): Promise<string | undefined> {
  if (await runs("denokv", ["--help"])) return "denokv";
  if (Deno.env.get("DENOKV_BUILD") !== "1") return undefined;
  const root = `${Deno.env.get("HOME")}/.cache/slipstream-denokv`;
  if (!await runs(`${root}/bin/denokv`, ["--help"])) {
    await runs("cargo", ["install", "denokv", "--locked", "--root", root]);
  }
  return `${root}/bin/denokv`;
}

async function runs(command: string, args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output())
      .success;
  } catch {
    return false;
  }
}
