import type { CheckpointEvent } from "../checkpoint/checkpoint_options.ts";
import { summaryOf } from "../flow/view/error_summary.ts";
import type { BrokerStatus } from "../kafka/client/status.ts";
import type { AppSnapshot } from "../snapshot.ts";
import type { PartEvent } from "../status.ts";
import type { Problem } from "./problem.ts";
import { inNumber, inTime } from "./words.ts";

/** For how long what has happened is told. */
export const RECENT_MS = 300_000;
/** How many kinds of what has happened are kept. */
const MOST_KEPT = 32;

/** Something that has happened to a part of an app. */
interface Incident {
  readonly severity: Problem["severity"];
  /** Distinguishes it from others of the same part. */
  readonly key: string;
  /** How many messages it is about. */
  readonly count: number;
  /** What it is, in words. */
  readonly text: (count: number) => string;
}

/** An incident, and when it happened last. */
interface Noted extends Incident {
  readonly part: PartEvent;
  readonly at: number;
}

/**
 * What has happened lately to the checkpoints and topics of an app, and is in no snapshot: messages that are lost, results
 * that stay wrong, why brokers cannot be reached.
 */
export class Incidents {
  readonly #noted = new Map<string, Noted>();

  /** Notes an event. */
  note(part: PartEvent, at: number): void {
    const { type, name, event } = part;
    if (type === "topic" && event.type === "back") return void this.#noted.delete(`${name} away`);
    const incident = incidentOf(part);
    if (incident === undefined) return;
    const key = `${name} ${incident.key}`;
    const known = this.#noted.get(key);
    const before = known !== undefined && at - known.at <= RECENT_MS ? known.count : 0;
    this.#noted.delete(key);
    this.#noted.set(key, { ...incident, part, at, count: before + incident.count });
    if (this.#noted.size > MOST_KEPT) this.#noted.delete(this.#noted.keys().next().value!);
  }

  /** What has happened in the last minutes, as problems. */
  problems({ at: now, checkpoints, sources }: AppSnapshot): Problem[] {
    return [...this.#noted.values()].filter(({ at }) => now - at <= RECENT_MS)
      .map(({ severity, part: { type, name }, at, count, text }) => {
        const node = type === "checkpoint"
          ? checkpoints.find(({ checkpoint }) => checkpoint === name)
          : sources.find(({ source }) => source === name);
        const ago = inTime(Math.max(0, now - at));
        return { severity, id: node?.id, text: `${text(count)} (${ago} ago)` };
      });
  }
}

function incidentOf({ type, name, event }: PartEvent): Incident | undefined {
  return type === "topic"
    ? ofTopic(name, event as BrokerStatus)
    : ofCheckpoint(name, event as CheckpointEvent);
}

function ofTopic(topic: string, event: BrokerStatus): Incident | undefined {
  switch (event.type) {
    case "lost": {
      const { partition, from, to } = event;
      const text = (count: number) =>
        `${topic} partition ${partition} lost ${inNumber(count, "message")}: ` +
        "the brokers deleted them before they were read";
      return { severity: "bad", key: `lost ${partition}`, count: to - from, text };
    }
    case "stuck": {
      const { partition, offset } = event;
      const text = () =>
        `${topic} left its group, since the message at offset ${offset} of partition ${partition} ` +
        "takes too long: others read its partitions until that is done";
      return { severity: "warn", key: "stuck", count: 1, text };
    }
    case "away": {
      if (event.error === undefined) return undefined; // the snapshot tells as much
      const why = summaryOf(event.error, 0).text;
      const text = () => `${topic} cannot reach the brokers: ${why}`;
      return { severity: "warn", key: "away", count: 1, text };
    }
    case "dry": {
      const text = (count: number) =>
        `${topic} is dry: ${inNumber(count, "message")} ${count === 1 ? "was" : "were"} not sent`;
      return { severity: "info", key: "dry", count: 1, text };
    }
  }
  return undefined;
}

function ofCheckpoint(checkpoint: string, event: CheckpointEvent): Incident | undefined {
  switch (event.type) {
    case "lost": {
      const count = Object.entries(event.from).reduce(
        (sum, [partition, from]) => sum + event.to[Number(partition)]! - from,
        0,
      );
      const text = (count: number) =>
        `Stale results of ${
          inNumber(count, "message")
        } stay as they are: the messages have left the ` +
        `log (checkpoint ${checkpoint})`;
      return { severity: "bad", key: "lost", count, text };
    }
    case "late": {
      const { dependency } = event;
      const text = (count: number) =>
        `${
          inNumber(count, "message")
        } of ${dependency} came after the frontier: final results are ` +
        `not corrected for ${count === 1 ? "it" : "them"} (checkpoint ${checkpoint})`;
      return { severity: "warn", key: `late ${dependency}`, count: 1, text };
    }
    case "ahead": {
      const of = event.dependency ?? "the dependent";
      const text = (count: number) =>
        `${inNumber(count, "marker")} of ${of} ${
          count === 1 ? "is" : "are"
        } too far ahead of the ` +
        `clock, and ignored: is a clock wrong? (checkpoint ${checkpoint})`;
      return { severity: "warn", key: `ahead ${of}`, count: 1, text };
    }
  }
  return undefined;
}
