/**
 * Visits: the pages of a user with less than half an hour between two of them. A page that comes late joins two visits
 * that were told apart, and the sink drops the one that is replaced.
 *
 * ```sh
 * deno run examples/window_session.ts
 * ```
 *
 * ```text
 * 0/ann/1767261600000 revision 1: /home
 * 0/ann/1767264600000 revision 1: /checkout
 * 0/ann/1767261600000 revision 2: /home /shop /checkout, instead of 0/ann/1767264600000
 * 0/ann/1767276000000 revision 1: /help
 * { "0/ann/1767261600000": 3, "0/ann/1767276000000": 1 }
 * ```
 *
 * @module
 */
import { handle, stream } from "@slipstream/slipstream";
import { collect, session } from "@slipstream/slipstream/windows";

const at = (time: string) => Date.parse(`2026-01-01T${time}Z`);

const pages = [
  { key: "ann", timestamp: at("10:00"), page: "/home" },
  { key: "ann", timestamp: at("10:50"), page: "/checkout" },
  { key: "bob", timestamp: at("11:20"), page: "/home" }, // by now both visits of ann have closed
  { key: "ann", timestamp: at("10:25"), page: "/shop" }, // late, but accepted
  { key: "ann", timestamp: at("14:00"), page: "/help" },
];

/** What a table would have: the last revision of each visit. */
const visits = new Map<string, number>();

handle(
  pages,
  session({
    gap: { minutes: 30 },
    late: { accept: { hours: 1 } },
    into: collect({ max: 100, of: ({ page, timestamp }) => ({ page, timestamp }) }),
  }),
  ({ key, id, revision, value, replaces }) => {
    if (key !== "ann") return;
    for (const replaced of replaces) visits.delete(replaced);
    visits.set(id, value.length);
    const path = value.toSorted((a, b) => a.timestamp - b.timestamp).map(({ page }) => page);
    const instead = replaces.length === 0 ? "" : `, instead of ${replaces.join(" ")}`;
    return `${id} revision ${revision}: ${path.join(" ")}${instead}`;
  },
  { sink: console.log },
);

await stream();
console.log(Object.fromEntries(visits));
