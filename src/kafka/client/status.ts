/** What a Topic reports to `onStatus` about its connection, its group and records that were not sent. */
export type BrokerStatus =
  /** The brokers do not answer; the topic keeps retrying. */
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
  /** Partitions were assigned. */
  | {
    readonly type: "assigned";
    readonly topic: string;
    readonly partitions: readonly number[];
    readonly generation: number;
  }
  /** Partitions are being revoked. */
  | { readonly type: "revoked"; readonly topic: string; readonly partitions: readonly number[] }
  /**
   * It left the group, since one message took longer than `handlerTimeout`, or `processingTimeout`; it joins again
   * once that message is done.
   */
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
  /** An error that no retry can repair; the reader or writer ends with it. */
  | { readonly type: "failed"; readonly error: Error }
  /** A record that was not sent, since the topic is `dry`. */
  | {
    readonly type: "dry";
    readonly topic: string;
    readonly key: unknown;
    readonly value: unknown;
  };
