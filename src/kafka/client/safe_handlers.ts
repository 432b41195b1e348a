import type { GroupHandlers } from "./broker.ts";
import type { BrokerStatus } from "./status.ts";

/**
 * Returns handlers that throw nothing into the client that calls them: their errors are reported as the
 * status `"failed"`, and no more records are asked for.
 */
export function safeHandlers(handlers: GroupHandlers): GroupHandlers {
  const status = (told: BrokerStatus): void => {
    try {
      handlers.status(told);
    } catch (thrown) {
      // Who cannot be told of that either has no other ear.
      if (told.type !== "failed") fail(thrown);
    }
  };
  const fail = (thrown: unknown): void => {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    status({ type: "failed", error });
  };
  const never = new Promise<void>(() => {});
  return {
    status,
    assigned: (assignment) => Promise.try(() => handlers.assigned(assignment)),
    records(chunk) {
      try {
        return handlers.records(chunk);
      } catch (error) {
        fail(error);
        return never; // the generation ends it
      }
    },
    ...(handlers.atEnd && {
      atEnd(answer) {
        try {
          handlers.atEnd!(answer);
        } catch (error) {
          fail(error);
        }
      },
    }),
    revoking: (assignment, canCommit) =>
      Promise.try(() => handlers.revoking(assignment, canCommit)).catch(fail),
  };
}
