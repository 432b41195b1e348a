/**
 * Returns a function that runs `step`, never twice at once: a call during a run waits for one of its own, which
 * calls share, since the run may have begun before what the call is for.
 */
export function sharedRuns(step: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const start = (): Promise<void> => running = step().finally(() => running = undefined);
  return () => {
    if (next !== undefined) return next;
    if (running === undefined) return start();
    return next = running.catch(() => {}).then(() => {
      next = undefined;
      return start();
    });
  };
}
