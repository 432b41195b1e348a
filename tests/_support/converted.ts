/** What tests of `toReadable`, `toTransform` and `toWritable` share. */
import { settle } from "../../src/testing/mod.ts";

/** A source that counts how often it was asked, and was closed. */
export function counting(limit = Infinity) {
  const counts = { asked: 0, closed: 0 };
  function* source() {
    try {
      while (counts.asked < limit) yield ++counts.asked;
    } finally {
      counts.closed++;
    }
  }
  return { counts, source: source() };
}

/** Returns whether a promise has settled once everything that is ready has run. */
export async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  promise.then(() => done = true, () => done = true);
  await settle();
  return done;
}
