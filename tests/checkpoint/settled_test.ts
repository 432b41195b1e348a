import { assertEquals } from "@std/assert";
import { Chain } from "../_support/chain_world.ts";

Deno.test("A stream made again is settled only after the heartbeats of its last message", async () => {
  const chain = new Chain();
  await chain.run(async () => {
    chain.weather.append({ time: 0, value: "sun" });
    await chain.rest();
    chain.trips.append({ time: 10 });
    await chain.rest();
    chain.bills.append({ time: 12 });
    await chain.rest();
    await chain.lower.keepAlive(40, { part: 0 });
    chain.weather.append({ time: 5, value: "rain" });
    await chain.rest();
    chain.weather.append({ time: 50, value: "fog" }); // the trip is made again, and is the last one
    await chain.rest();
    assertEquals(chain.log, ["sun", "rain"]);
  });
});
