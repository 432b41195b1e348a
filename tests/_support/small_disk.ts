/** A disk of a given size in memory, which can grow and be made read-only; undefined where the system does not let us mount one. */
export async function smallDisk(megabytes: number) {
  if (Deno.build.os !== "linux") return undefined;
  const path = await Deno.makeTempDir();
  if (!await mount(["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", path])) {
    await Deno.remove(path);
    return undefined;
  }
  return {
    path,
    grow: (megabytes: number) => mount(["-o", `remount,size=${megabytes}m`, path]),
    protect: () => mount(["-o", "remount,ro", path]),
    async [Symbol.asyncDispose]() {
      await new Deno.Command("umount", { args: [path] }).output();
      await Deno.remove(path);
    },
  };
}

async function mount(args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command("mount", { args }).output()).success;
  } catch {
    return false;
  }
}
