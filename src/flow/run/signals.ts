const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Calls `listener` for SIGINT and SIGTERM; returns what removes it. */
export function onSignals(listener: (name: Deno.Signal) => void): () => void {
  const removers: (() => void)[] = [];
  for (const name of SIGNALS) {
    const handle = () => listener(name);
    try {
      Deno.addSignalListener(name, handle);
    } catch {
      continue; // Windows has no SIGTERM
    }
    removers.push(() => Deno.removeSignalListener(name, handle));
  }
  return () => removers.forEach((remove) => remove());
}
