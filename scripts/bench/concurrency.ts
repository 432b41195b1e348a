/**
 * Messages of one source handled concurrently, beside a bare pool of promises of the same size. Positions are
 * committed each 250 ms; the source is in memory, so that nothing else is measured.
 */
import { App, Cache, type ConcurrencyOptions, type StateCache } from "@slipstream/slipstream";
import {
  END,
  type Feed,
  type FeedSource,
  openFeed,
  Receipt,
  type Resumption,
} from "../../src/connector/mod.ts";
import { AckTracker } from "../../src/flow/source/ack_tracker.ts";
import type { Benchmark } from "./benchmark.ts";
