import { systemClock } from "../clock.ts";
import { describe, redactError, redactText } from "../redact.ts";
import { assertNoEviction, type CacheSettings } from "./cache_options.ts";
import { CacheDamagedError, CacheHeldError, CacheStorageError } from "./errors.ts";
import { isLocked } from "./kv_errors.ts";
import { openResident, prepareFolder } from "./resident/open.ts";
import { openRows } from "./rows/open.ts";
import type { CacheStore } from "./store.ts";

const CALL_TIMEOUT_MS = 10_000;

/** Opens the store that a cache names, in the layout that fits. */
export async function openStore(
  target: string | URL | Deno.Kv,
  options: CacheSettings,
): Promise<CacheStore> {
  if (typeof Deno.openKv !== "function") {
    throw new TypeError(
      "Cannot open a cache without Deno KV: run Deno with --unstable-kv, " +
        'or put "unstable": ["kv"] into deno.json',
    );
  }
  if (typeof target !== "string" && !(target instanceof URL)) {
    return await openBorrowed(target, options);
  }
  const { path, name, remote } = toPath(target);
  const { clock = systemClock, shared = remote, callTimeout = CALL_TIMEOUT_MS } = options;
  const { flushInterval = 100, maxTransactionBytes, damaged = "refuse" } = options;
  if (remote && !shared) {
    throw new TypeError(
      `Cannot open ${JSON.stringify(name)} with { shared: false }: it is a server`,
    );
  }
  if (shared) assertNoEviction(options);
  try {
    if (!remote && path !== ":memory:") await prepareFolder(path);
    const openKv = () => Deno.openKv(path);
    if (!shared) {
      const resident = { clock, flushIntervalMs: flushInterval, maxTransactionBytes, damaged };
      return await openResident(path, openKv, resident);
    }
    const place = { path: name, remote, borrowed: false };
    return await openRows(openKv, place, {
      clock,
      deadlineMs: callTimeout,
      maxTransactionBytes,
      damaged,
    });
  } catch (error) {
    redactError(error);
    throw explain(name, error);
  }
}

async function openBorrowed(kv: Deno.Kv, options: CacheSettings): Promise<CacheStore> {
  if (typeof kv?.atomic !== "function") {
    throw new TypeError(
      `Cannot open a cache on ${describe(kv)}: it must be a path, a URL or an open Deno.Kv`,
    );
  }
  if (options.shared === false) {
    throw new TypeError("Cannot open a Deno.Kv with { shared: false }: others may write to it");
  }
  assertNoEviction(options);
  const { clock = systemClock, callTimeout = CALL_TIMEOUT_MS } = options;
  const { maxTransactionBytes, damaged = "refuse" } = options;
  const place = { path: "of an open Deno.Kv", remote: true, borrowed: true };
  return await openRows(() => Promise.resolve(kv), place, {
    clock,
    deadlineMs: callTimeout,
    maxTransactionBytes,
    damaged,
  });
}

/** Where a store is, and what it is called in errors: without credentials. */
interface Target {
  path: string;
  name: string;
  remote: boolean;
}

function toPath(target: string | URL): Target {
  const url = URL.parse(target);
  if (url?.protocol === "http:" || url?.protocol === "https:") {
    return { path: url.href, name: redactText(url.href), remote: true };
  }
  if (url?.protocol === "file:") return local(decodeURIComponent(url.pathname));
  if (url !== null && (target instanceof URL || /^[a-z][a-z\d+.-]*:\/\//i.test(target))) {
    throw new TypeError(
      `Cannot open a cache at ${
        redactText(url.href)
      }: the URL must be http: or https:, of a KV Connect server, or ` +
        "file:; or give a path",
    );
  }
  if (target === "") throw new TypeError('Cannot open a cache at "": give a path or a URL');
  return local(target as string);
}

function local(path: string): Target {
  return { path, name: path, remote: false };
}

/** Says what to do about what the system said. */
function explain(path: string, error: unknown): unknown {
  if (error instanceof CacheHeldError || error instanceof CacheDamagedError) return error;
  const wrapped = error instanceof CacheStorageError;
  const reason = wrapped ? error.cause : error;
  const hint = reason instanceof Error ? hintFor(path, reason) : undefined;
  if (hint === undefined && (wrapped || !(error instanceof Error))) return error;
  const what = `Cannot open cache ${JSON.stringify(path)}${hint === undefined ? "" : `, ${hint}`}`;
  return new CacheStorageError(what, reason, isLocked(reason));
}

function hintFor(path: string, reason: Error): string | undefined {
  if (reason instanceof Deno.errors.NotCapable) {
    return path.startsWith("http")
      ? `allow it with --allow-net=${new URL(path).host} --allow-env=DENO_KV_ACCESS_TOKEN`
      : "allow the file and its folder with --allow-read and --allow-write";
  }
  if (/file is not a database|malformed/.test(reason.message)) {
    return "which is not a Deno KV file, or is damaged (the .recover of the sqlite3 shell may help)";
  }
  if (/unable to open|read-?only/i.test(reason.message)) return "check that it can be written";
  return undefined;
}
