import { existsSync } from "node:fs";
import { jars } from "../../scripts/kafka/java.ts";

/** What a broker in a container needs on the path beside the engine. */
const TOOLS = ["sh", "cat", "java", "ps", "grep", "tr"];

/** A machine as `scripts/kafka` sees it: a path with the stand-ins of container engines, and little else. */
export class EngineWorld implements AsyncDisposable {
  /** The folder of the world; see `container_engine.ts`. */
  readonly folder: string;
  /** What a process in this world has as environment. */
  readonly env: Record<string, string>;
  readonly #before: Record<string, string | undefined> = {};

  private constructor(folder: string) {
    this.folder = folder;
    const before = jarsFolder;
    this.env = { PATH: `${folder}/bin`, TMPDIR: `${folder}/tmp`, ENGINE_WORLD: folder };
    if (before) this.env["XDG_CACHE_HOME"] = before.split("/slipstream/")[0]!;
  }

  /** Makes a world with these engines, and without these tools. */
  static async make(engines: string[], without: string[] = []): Promise<EngineWorld> {
    const world = new EngineWorld(await Deno.makeTempDir());
    for (const name of ["bin", "tmp", "containers", "volumes"]) {
      await Deno.mkdir(`${world.folder}/${name}`);
    }
    const program = new URL("./container_engine.ts", import.meta.url).pathname;
    for (const engine of engines) {
      const text = `#!/bin/sh\nexec "${Deno.execPath()}" run -A "${program}" "$@"\n`;
      await Deno.writeTextFile(`${world.folder}/bin/${engine}`, text, { mode: 0o755 });
    }
    for (const tool of TOOLS.filter((tool) => !without.includes(tool))) {
      const path = Deno.env.get("PATH")!.split(":").map((folder) => `${folder}/${tool}`)
        .find((path) => existsSync(path));
      if (path) await Deno.symlink(path, `${world.folder}/bin/${tool}`);
    }
    return world;
  }

  /** Makes this process see the world, until it is disposed. */
  enter(): void {
    for (const [name, value] of Object.entries(this.env)) {
      this.#before[name] = Deno.env.get(name);
      Deno.env.set(name, value);
    }
  }

  /** Says something of the world: `down`, `offline`, `full`, `image`. */
  async say(...facts: string[]): Promise<void> {
    for (const fact of facts) await Deno.writeTextFile(`${this.folder}/${fact}`, "");
  }

  /** The calls of the engines. */
  calls(): string[][] {
    if (!existsSync(`${this.folder}/calls`)) return [];
    const text = Deno.readTextFileSync(`${this.folder}/calls`);
    return text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
  }

  /** The containers and volumes that were not removed. */
  running(): string[] {
    return this.leftovers().filter((name) => !name.startsWith("tmp/"));
  }

  /** What was not removed: containers, volumes and temporary files. */
  leftovers(): string[] {
    return ["containers", "volumes", "tmp"].flatMap((name) =>
      [...Deno.readDirSync(`${this.folder}/${name}`)].map((entry) => `${name}/${entry.name}`)
    );
  }

  /** Leaves the world and removes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const [name, value] of Object.entries(this.#before)) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** The folder of the broker's jars; undefined without Java. */
export const jarsFolder: string | undefined = Deno.env.has("SLIPSTREAM_TEST_KAFKA")
  ? await jars()
  : undefined;

/** Registers a test that runs a broker behind a stand-in, for which Java must be there. */
export function engineTest(name: string, body: () => Promise<void>): void {
  if (jarsFolder) Deno.test(name, body);
  else Deno.test.ignore(`${name} (no Java, or no broker of its own can be started)`, body);
}
