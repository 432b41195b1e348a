/** The place of a message in its source. */
export interface Place {
  /** The partition. */
  readonly partition: number;
  /** The position in it. */
  readonly offset: number;
}

/** Returns the place of a message that has one, as those of a Topic do. */
export function placeOf(message: unknown): Place | undefined {
  const { partition, offset } = (message ?? {}) as Partial<Place>;
  return typeof partition === "number" && typeof offset === "number" ? message as Place : undefined;
}
