/** What an `onStatus` callback is told about the connection, the group and what was not sent. */
export type BrokerStatus =
  /** The brokers do not answer; it is tried again and again. */
  | { readonly type: "away"; readonly error?: unknown }
  /** The brokers answer again. */
  | { readonly type: "back" }
  /**
   * Has no partitions, and waits for them: told when it begins to join, when it finds that others have to leave
   * first, after 3 s, and again whenever it has taken twice as long. `waitsFor` says for what.
   */
  | {
    readonly type: "joining";
    readonly topic: string;
    readonly groupId: string;
    readonly waitedMs: number;
    readonly waitsFor: string;
  }
  /** Partitions were given. */
  | {
    readonly type: "assigned";
    readonly topic: string;
    readonly partitions: readonly number[];
    readonly generation: number;
  }
  /** Partitions are being taken. */
  | { readonly type: "revoked"; readonly topic: string; readonly partitions: readonly number[] }
  /** Left the group, since one message took longer than `handlerTimeoutMs`, or `processingTimeoutMs`: until it is done. */
  | {
    readonly type: "stuck";
    readonly topic: string;
    readonly partition: number;
    readonly offset: number;
  }
  /** Offsets are missing that had not been read: the broker deleted them. */
  | {
    readonly type: "lost";
    readonly topic: string;
    readonly partition: number;
    readonly from: number;
    readonly to: number;
  }
  /** Something cannot be repaired by trying again; the reader or writer ends with it. */
  | { readonly type: "failed"; readonly error: Error }
  /** A record that was not sent, since the topic is `dry`. */
  | {
    readonly type: "dry";
    readonly topic: string;
    readonly key: unknown;
    readonly value: unknown;
  };
