/**
 * Input that stops: the last window closes all the same, once the clock has passed its end and nothing came.
 *
 * ```sh
 * deno run examples/window_idle.ts
 * ```
 *
 * ```text
 * the sensor says 1
 * the sensor says 2
 * the sensor is silent
 * 2 values, their sum is 3
 * the sensor is switched off
 * ```
 *
 * @module
 */
import { handle, stream } from "@slipstream/slipstream";
import { count, sum, tumbling } from "@slipstream/slipstream/windows";

const SIZE_MS = 500;
const closed = Promise.withResolvers<void>();

async function* sensor() {
  const begin = Math.floor(Date.now() / SIZE_MS) * SIZE_MS;
  for (const value of [1, 2]) {
    console.log(`the sensor says ${value}`);
    yield { timestamp: begin + value, value };
  }
  console.log("the sensor is silent");
  await closed.promise;
  console.log("the sensor is switched off");
}

handle(
  sensor(),
  tumbling({
    size: SIZE_MS,
    by: () => "sensor",
    into: { n: count(), sum: sum(({ value }) => value) },
  }),
  ({ value }) => `${value.n} values, their sum is ${value.sum}`,
  {
    sink: (text) => {
      console.log(text);
      closed.resolve();
    },
  },
);

await stream();
