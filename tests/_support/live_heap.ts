import v8 from "node:v8";
import vm from "node:vm";

v8.setFlagsFromString("--expose-gc");
const collectGarbage: () => void = vm.runInNewContext("gc");

/** Returns how many bytes of the heap are in use once the garbage is collected. */
export function liveHeap(): number {
  collectGarbage();
  return Deno.memoryUsage().heapUsed;
}
