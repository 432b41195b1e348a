import { type FlowError, untraceable } from "../../errors.ts";
import type { Delivery, Taken } from "../run/delivery.ts";
import type { Receipt } from "../source/receipt.ts";

/** One of the messages that a value is made from. */
export interface Origin {
  /** The message, as the source of the flow gave it. */
  readonly root: unknown;
  /** Behind a Proxy, the message of the outside source that it was made from, where known; else `root`. */
  readonly origin: unknown;
  /** What acknowledges it. */
  readonly receipt: Receipt | undefined;
}

/** Returns what the value in a delivery is made from, for a stage that makes others of it. */
export function takenFrom(delivery: Delivery): readonly Taken[] {
  return delivery.from ??= [{ root: delivery.root, receipt: delivery.receipt }];
}

/**
 * Returns the messages that the value in a delivery is made from, each once; none where nobody can tell. Of those
 * that a pipe holds until its end it is `input`, if that is one of them.
 */
export function originsOf(delivery: Delivery, input: unknown): readonly Origin[] {
  const origins = new Map<object, Origin>();
  for (const taken of takenFrom(delivery)) {
    const { root, receipt } = taken;
    if (receipt === undefined) origins.set(taken, { root, origin: root, receipt });
    for (const leaf of receipt?.leaves ?? []) {
      const origin = leaf.origin ?? root;
      if (!origins.has(leaf)) origins.set(leaf, { root: root ?? origin, origin, receipt: leaf });
    }
  }
  const known = [...origins.values()];
  return delivery.receipt?.traceable === false
    ? known.filter(({ origin }) => origin === input)
    : known;
}

const failures = new WeakMap<FlowError, readonly Origin[]>();

/** Tells an error which messages it is about: those that the value in `delivery` is made from, called with `input`. */
export function tellOrigins(failure: FlowError, delivery: Delivery, input: unknown): void {
  const { root, receipt } = delivery;
  const origins = originsOf(delivery, input);
  if (origins.length === 0 && receipt?.positioned) untraceable.add(failure);
  failures.set(failure, origins.length > 0 ? origins : [{ root, origin: root, receipt }]);
  const [only, ...others] = origins;
  const told = only === undefined || others.length > 0 ? { root, origin: root } : only;
  Object.assign(failure, { root: told.root, origin: told.origin });
}

/** Returns the messages that an error is about; where nobody can tell, it is about itself. */
export function originsOfFailure(failure: FlowError): readonly Origin[] {
  const { root, origin } = failure;
  return failures.get(failure) ?? [{ root, origin, receipt: undefined }];
}
