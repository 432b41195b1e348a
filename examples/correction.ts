/**
 * Correction: a day of real earthquakes (USGS, 4 February 2018) is joined with the temperature of each hour
 * in Seattle, an hourly series whose feed dies from 9 to 12 o'clock and then catches up.
 *
 * It runs three times: as the reference does, which goes back to the last state it knows; with `correct`,
 * which goes back to the first result that was made from a stale temperature; and in mode `"wait"`, which
 * holds each earthquake until its temperature is known. What should have come out is computed afterwards.
 *
 * ```sh
 * deno run examples/correction.ts
 * ```
 *
 * ```text
 * ```
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { App, Checkpoint, type CheckpointOptions, Dependency } from "@slipstream/slipstream";
import { JsonCodec, MemoryCache } from "@slipstream/slipstream";
import { type Message, Topic } from "@slipstream/slipstream/kafka";
import { MemoryBroker } from "@slipstream/slipstream/memory";
import { ManualClock } from "@slipstream/slipstream/testing";
import earthquakes from "vega-datasets/data/earthquakes.json" with { type: "json" };
