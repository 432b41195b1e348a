import { assertEquals } from "@std/assert";
import { App } from "../../mod.ts";
import { count, tumbling } from "../../src/windows/mod.ts";

Deno.test("snapshot() tells how many windows are open and closed, and how many messages came too late", async () => {
  const app = new App();
  const clicks = [1, 2, 11, 12, 3].map((timestamp) => ({ timestamp }));
  app.handle(
    clicks,
    tumbling({ size: 10, by: () => "all", into: count() }),
    () => {},
    { name: "clicks" },
  );
  const at = (open: number, closed: number, late: number) => [
    { id: "pipe:tumbling()", window: "clicks", open, closed, late },
  ];
  assertEquals(app.snapshot().windows, at(0, 0, 0));
  await app.stream();
  assertEquals(app.snapshot().windows, at(1, 1, 1)); // the end of a source closes nothing
});
