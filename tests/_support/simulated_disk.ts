import { Cache } from "../../mod.ts";
import { openResident } from "../../src/cache/resident/open.ts";
import type { CacheStore } from "../../src/cache/store.ts";
import type { Clock } from "../../src/clock.ts";
import type { Scheduler } from "../../src/testing/mod.ts";

interface Row {
  readonly key: Deno.KvKey;
  readonly value: unknown;
  readonly versionstamp: string;
}

/** What outlives a process: the rows of a Deno KV file. */
export class Disk {
  readonly rows: Map<string, Row> = new Map();
  #version = 0;

  /** The next version of a row. */
  nextVersion(): string {
    return String(++this.#version).padStart(20, "0");
  }
}

/** Thrown to a process that is dead already: nothing that it does has an effect any more. */
export class DeadError extends Error {
  override readonly name = "DeadError";
}

/**
 * A connection of one process to a {@linkcode Disk}, with as much of `Deno.Kv` as resident caches use. Every
 * call waits for its turn before and after it has its effect, so that a crash can come in between; writes may
 * fail, with their effect or without.
 */
export class SimulatedKv {
  dead = false;
  readonly #disk: Disk;
  readonly #scheduler: Scheduler;
  readonly #failures: number;

  /** Opens `disk`; a write fails with the probability `failures`. */
  constructor(disk: Disk, scheduler: Scheduler, failures: number) {
    this.#disk = disk;
    this.#scheduler = scheduler;
    this.#failures = failures;
  }

  async get(key: Deno.KvKey): Promise<Row | { key: Deno.KvKey; value: null; versionstamp: null }> {
    await this.#turn("a read");
    const row = this.#disk.rows.get(JSON.stringify(key));
    return row ? structuredClone(row) : { key, value: null, versionstamp: null };
  }

  async *list({ prefix }: { prefix: Deno.KvKey }): AsyncGenerator<Row> {
    await this.#turn("a list");
    const found = [...this.#disk.rows.values()].filter(({ key }) =>
      prefix.every((part, at) => key[at] === part)
    );
    yield* structuredClone(
      found.sort((a, b) => ((a.key[2] as number) < (b.key[2] as number) ? -1 : 1)),
    );
  }

  atomic(): SimulatedAtomic {
    return new SimulatedAtomic((checks, changes) => this.#commit(checks, changes));
  }

  close(): void {}

  async #commit(
    checks: readonly Deno.AtomicCheck[],
    changes: readonly { key: Deno.KvKey; value?: unknown }[],
  ): Promise<{ ok: boolean; versionstamp?: string }> {
    await this.#turn("a write begins");
    const { random } = this.#scheduler;
    if (random.chance(this.#failures)) throw new TypeError("database is locked");
    const { rows } = this.#disk;
    for (const { key, versionstamp } of checks) {
      const found = rows.get(JSON.stringify(key))?.versionstamp ?? null;
      if (found !== versionstamp) return { ok: false };
    }
    const versionstamp = this.#disk.nextVersion();
    for (const { key, value } of changes) {
      if (value === undefined) rows.delete(JSON.stringify(key));
      else rows.set(JSON.stringify(key), { key, value, versionstamp });
    }
    await this.#turn("a write ends");
    if (random.chance(this.#failures)) throw new TypeError("disk I/O error");
    return { ok: true, versionstamp };
  }

  async #turn(name: string): Promise<void> {
    if (!this.dead) await this.#scheduler.turn(name);
    if (this.dead) throw new DeadError("Cannot reach the disk: the process is dead");
  }
}

class SimulatedAtomic {
  readonly #checks: Deno.AtomicCheck[] = [];
  readonly #changes: { key: Deno.KvKey; value?: unknown }[] = [];

  constructor(
    readonly run: (
      checks: readonly Deno.AtomicCheck[],
      changes: readonly { key: Deno.KvKey; value?: unknown }[],
    ) => Promise<{ ok: boolean; versionstamp?: string }>,
  ) {}

  check(...checks: Deno.AtomicCheck[]): this {
    this.#checks.push(...checks);
    return this;
  }

  set(key: Deno.KvKey, value: unknown): this {
    this.#changes.push({ key, value: structuredClone(value) });
    return this;
  }

  delete(key: Deno.KvKey): this {
    this.#changes.push({ key });
    return this;
  }

  commit(): Promise<{ ok: boolean; versionstamp?: string }> {
    return this.run(this.#checks, this.#changes);
  }
}

/** Opens the cache that is on the disk of `kv`. */
export async function openSimulated<V = unknown>(kv: SimulatedKv, clock: Clock): Promise<Cache<V>> {
  const open = () => Promise.resolve(kv as unknown as Deno.Kv);
  return new DiskCache(await openResident(":memory:", open, { clock, flushIntervalMs: 100 }));
}

class DiskCache<V> extends Cache<V> {
  constructor(store: CacheStore) {
    super(store, { maxBytes: Infinity });
  }
}
