import type { Broker } from "../client/broker.ts";
import type { Codecs } from "./message.ts";
import type { Settings } from "./options.ts";
import type { SeekPosition } from "./positions.ts";

/** What a TopicFeed reads with. */
export interface FeedContext<K, V> {
  /** The topic. */
  readonly topic: string;
  /** The group. */
  readonly groupId: string;
  /** Its options. */
  readonly settings: Settings<K, V>;
  /** The codecs. */
  readonly codecs: Codecs<K, V>;
  /** The seeks from before the reading began. */
  readonly sought: readonly SeekPosition[];
  /** True until the topic was read for the first time: explicit offsets count then. */
  readonly first: boolean;
  /** Is called at the first assignment. */
  readonly began: () => void;
  /** Connects, and makes sure that the topic exists. */
  readonly connect: (signal: AbortSignal) => Promise<Broker>;
  /** Calls `fail` with what `onStatus` throws; returns what ends that. */
  readonly watchStatus: (fail: (error: unknown) => void) => () => void;
  /** Is called when the reading has ended. */
  readonly ended: () => void;
}
