/** A view of a store whose process is as good as killed after some atomic writes: none is made any more. */
export function dyingKv(kv: Deno.Kv, writes: number): Deno.Kv {
  let left = writes;
  const atomic = () => {
    const operation = kv.atomic();
    const commit = operation.commit.bind(operation);
    operation.commit = () => --left < 0 ? Promise.reject(new Error("killed")) : commit();
    return operation;
  };
  return new Proxy(kv, {
    get(kv, name: keyof Deno.Kv) {
      if (name === "atomic") return atomic;
      const found = kv[name];
      return typeof found === "function" ? found.bind(kv) : found;
    },
  });
}
