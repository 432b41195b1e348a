import { assertEquals } from "@std/assert";
import { App } from "../../mod.ts";
import { toPrometheus } from "../../src/observe/metrics.ts";
import { ManualClock } from "../../src/testing/mod.ts";
import { count, tumbling } from "../../src/windows/mod.ts";

Deno.test("snapshot() tells how many windows are open and closed, how many messages were late or far ahead, and the watermark", async () => {
  const clock = new ManualClock(1_000);
  const app = new App({ clock });
  const clicks = [1, 2, 11, 12, 3, 5_000].map((timestamp) => ({ timestamp }));
  app.handle(
    clicks,
    tumbling({ size: 10, by: () => "all", into: count(), maxAhead: 1_000 }),
    () => {},
    { name: "clicks", onError: "skip" },
  );
  const id = { id: "pipe:tumbling()", window: "clicks" };
  const none = { open: 0, closed: 0, late: 0, ahead: 0, waiting: 0 };
  assertEquals(app.snapshot().windows, [
    { ...id, ...none, watermark: undefined, delayMs: undefined },
  ]);
  await app.stream();
  const after = app.snapshot();
  assertEquals(after.windows, [ // the end of a source closes nothing
    { ...id, ...none, open: 2, closed: 1, late: 1, ahead: 1, watermark: 12, delayMs: 988 },
  ]);
  const metrics = toPrometheus(after).split("\n").filter((line) =>
    line.startsWith("slipstream_window")
  );
  assertEquals(metrics, [
    'slipstream_window_open{window="clicks"} 2',
    'slipstream_window_closed_total{window="clicks"} 1',
    'slipstream_window_late_messages_total{window="clicks"} 1',
    'slipstream_window_ahead_messages_total{window="clicks"} 1',
    'slipstream_window_waiting_results{window="clicks"} 0',
    'slipstream_window_watermark_timestamp_seconds{window="clicks"} 0.012',
    'slipstream_window_watermark_delay_seconds{window="clicks"} 0.988',
  ]);
});
