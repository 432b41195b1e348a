/**
 * A transaction changes several entries as one: all of it happens, or nothing, also when the process is
 * killed in the middle. Transactions that share a key run one after the other.
 *
 * ```sh
 * deno run --allow-read --allow-write examples/transaction.ts
 * ```
 *
 * ```text
 * Cannot move 500: there are 10
 * left 0, right 100
 * ```
 *
 * @module
 */
import { Cache } from "@slipstream/slipstream";

await using accounts = await Cache.open<number>("state/accounts");
await accounts.set("left", 100);
await accounts.set("right", 0);

async function move(amount: number): Promise<void> {
  await accounts.transaction(["left", "right"], async (tx) => {
    const left = await tx.get("left", 0);
    if (left < amount) throw new RangeError(`Cannot move ${amount}: there are ${left}`);
    tx.set("left", left - amount);
    tx.set("right", await tx.get("right", 0) + amount);
  });
}

await Promise.all(Array.from({ length: 9 }, () => move(10)));
await move(500).catch((error) => console.log(error.message));
await move(10);
console.log(`left ${await accounts.get("left")}, right ${await accounts.get("right")}`);
