import { basename, dirname, join } from "node:path";
import type { Clock } from "../../clock.ts";
import { CacheHeldError } from "../errors.ts";

/** Every note has as many bytes, so that one covers the other. */
const NOTE_BYTES = 120;

/** The lock on a store. */
export interface FileLock extends Disposable {
  /** Whether there was no file yet, or one in which nothing can have been written. */
  readonly fresh: boolean;
  /** Notes that the file has content from now on. */
  settle(): Promise<void>;
}

/** What is in the lock file: its owner, and whether the store has been made just now. */
interface Owner {
  readonly pid: number;
  readonly since: string;
  readonly fresh: boolean;
}

/**
 * Makes this process the owner of a store by a lock on the file `<path>.lock`, which the system frees at
 * once when the process ends, however it ends. Disposing gives it up.
 *
 * @throws {CacheHeldError} Naming the owner, if there is one.
 */
export async function lockFile(path: string, clock: Clock): Promise<FileLock> {
  const lockPath = `${await realPath(path)}.lock`;
  const file = await Deno.open(lockPath, { create: true, read: true, write: true });
  try {
    if (!await file.tryLock(true)) throw new CacheHeldError(path, await ownerOf(lockPath));
    // A crash may have come between the making of the file and its first content.
    const fresh = await isEmpty(path) || (await read(lockPath))?.fresh === true;
    const since = new Date(clock.now()).toISOString();
    const note = (fresh: boolean) => write(file, { pid: Deno.pid, since, fresh });
    await note(fresh);
    const settle = async () => {
      if (fresh) await note(false);
    };
    return { fresh, settle, [Symbol.dispose]: () => file.close() };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** The one path of a file that may have several spellings, and may not be there yet. */
async function realPath(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return join(await Deno.realPath(dirname(path)), basename(path));
  }
}

async function isEmpty(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).size === 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

/** Writes in one step, so that a crash leaves the note before or this one. */
async function write(file: Deno.FsFile, owner: Owner): Promise<void> {
  const note = JSON.stringify(owner).padEnd(NOTE_BYTES);
  await file.seek(0, Deno.SeekMode.Start);
  await file.write(new TextEncoder().encode(note));
}

async function read(lockPath: string): Promise<Owner | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(lockPath));
  } catch {
    return undefined; // nothing is in it yet
  }
}

async function ownerOf(lockPath: string): Promise<string> {
  const owner = await read(lockPath);
  // It may hold the lock and not have written its name yet.
  if (owner === undefined) return "another process";
  const { pid, since } = owner;
  return pid === Deno.pid
    ? `this process, since ${since}`
    : `the process with the id ${pid}, since ${since}`;
}
