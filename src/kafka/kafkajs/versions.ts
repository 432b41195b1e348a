import { KafkaError } from "../client/errors.ts";
import type { ApiVersions } from "./cluster.ts";

/** A request that is spoken here, with the versions that are. */
interface Spoken {
  readonly name: string;
  readonly apiKey: number;
  readonly first: number;
  readonly last: number;
}

/** Written by `produce_request.ts`: record batches of format 2 begin with version 3. */
export const PRODUCE: Spoken = { name: "Produce", apiKey: 0, first: 3, last: 7 };
/** Read by `fetching.ts`. */
export const FETCH: Spoken = { name: "Fetch", apiKey: 1, first: 4, last: 11 };

/** The last version of a request that both sides speak. */
export function versionOf({ apiKey, last }: Spoken, versions: ApiVersions | null): number {
  return Math.min(last, versions?.[apiKey]?.maxVersion ?? last);
}

/**
 * Checks that a broker speaks the requests in which record batches of format 2 travel.
 *
 * @throws {KafkaError} If it does not: Kafka before 0.11, or one that has given up those versions.
 */
export function checkVersions(brokers: readonly string[], versions: ApiVersions | null): void {
  for (const { name, apiKey, first, last } of [PRODUCE, FETCH]) {
    const { minVersion = -1, maxVersion = -1 } = versions?.[apiKey] ?? {};
    if (minVersion <= last && maxVersion >= first) continue;
    const why = maxVersion < first ? "Kafka 0.11 or later is needed" : "a newer client is needed";
    throw new KafkaError(
      `Cannot use the Kafka brokers ${brokers}: ${why}, as they speak the versions ${minVersion} to ` +
        `${maxVersion} of ${name}, and ${first} to ${last} are spoken here`,
    );
  }
}
