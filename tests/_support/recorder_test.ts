import { assertEquals } from "@std/assert";
import { END, WAIT } from "../../src/flow/source/feed.ts";
import { Recorder } from "./recorder.ts";

Deno.test("Recorder.ackedTo stays before the first message that is not acknowledged", () => {
  const recorder = new Recorder(["a", "b", "c"]);
  const receipts = [0, 1, 2].map(() => {
    recorder.poll();
    return recorder.receipt!;
  });
  receipts[2]!.release();
  receipts[0]!.release();
  assertEquals(recorder.acknowledged, [2, 0]);
  assertEquals(recorder.ackedTo, 1);
  receipts[1]!.release();
  assertEquals(recorder.ackedTo, 3);
});

Deno.test("Recorder.seek() ignores acknowledgements of the old epoch", () => {
  const recorder = new Recorder(["a", "b"]);
  recorder.poll();
  const old = recorder.receipt!;
  recorder.seek(0);
  old.release();
  assertEquals(recorder.ignored, [0]);
  assertEquals(recorder.poll(), "a");
  assertEquals(recorder.ackedTo, 0);
});

Deno.test("Recorder.snapshot() commits the position acknowledged when it was taken", async () => {
  const recorder = new Recorder(["a", "b"]);
  recorder.poll();
  recorder.receipt!.release();
  const commit = recorder.snapshot()!;
  recorder.poll();
  recorder.receipt!.release();
  await commit();
  assertEquals(recorder.committed, [1]);
});

Deno.test("Recorder.poll() waits for more while the source is open, and ends after end()", () => {
  const recorder = new Recorder<string>([], { open: true });
  assertEquals(recorder.poll(), WAIT);
  recorder.push("a");
  recorder.end();
  assertEquals(recorder.poll(), "a");
  assertEquals(recorder.poll(), END);
});
