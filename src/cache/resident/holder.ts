import { basename, dirname, join } from "node:path";
import type { Clock } from "../../clock.ts";
import { CacheHeldError } from "../errors.ts";

/**
 * Makes this process the holder of a store by a lock on the file `<path>.lock`, which the system frees at
 * once when the process ends, however it ends. Disposing gives it up.
 *
 * @throws {CacheHeldError} Naming the holder, if there is one.
 */
export async function hold(path: string, clock: Clock): Promise<Disposable> {
  const lockPath = `${await realPath(path)}.lock`;
  const file = await Deno.open(lockPath, { create: true, read: true, write: true });
  try {
    if (!await file.tryLock(true)) throw new CacheHeldError(path, await holderOf(lockPath));
    await file.truncate();
    const holder = { pid: Deno.pid, since: new Date(clock.now()).toISOString() };
    await file.write(new TextEncoder().encode(JSON.stringify(holder)));
  } catch (error) {
    file.close();
    throw error;
  }
  return file;
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

async function holderOf(lockPath: string): Promise<string> {
  try {
    const { pid, since } = JSON.parse(await Deno.readTextFile(lockPath));
    return pid === Deno.pid
      ? `this process, since ${since}`
      : `the process with the id ${pid}, since ${since}`;
  } catch {
    // It may hold the lock and not have written its name yet.
    return "another process";
  }
}
