/** Something that somebody should look at. */
export interface Problem {
  /** `bad`: it does not go on, or something is lost to it; `warn`: it may come to that; `info`: it is on purpose. */
  readonly severity: "bad" | "warn" | "info";
  /** The node in the topology; undefined for the app. */
  readonly id: string | undefined;
  /** What it is, in words. */
  readonly text: string;
}
