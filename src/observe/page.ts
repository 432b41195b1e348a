import css from "./page/page.css" with { type: "text" };
import dashboard from "./page/dashboard.html" with { type: "text" };
import favicon from "./page/favicon.svg" with { type: "text" };
import login from "./page/login.html" with { type: "text" };
import chart from "./page/chart.js" with { type: "text" };
import checkpoints from "./page/checkpoints.js" with { type: "text" };
import dom from "./page/dom.js" with { type: "text" };
import events from "./page/events.js" with { type: "text" };
import flows from "./page/flows.js" with { type: "text" };
import script from "./page/page.js" with { type: "text" };
import sources from "./page/sources.js" with { type: "text" };
import state from "./page/state.js" with { type: "text" };
import table from "./page/table.js" with { type: "text" };
import topology from "./page/topology.js" with { type: "text" };
import trail from "./page/trail.js" with { type: "text" };
import words from "./page/words.js" with { type: "text" };

/** The pages: the package has them as text, so nothing is fetched, and nothing is built. */
const PAGES = {
  dashboard,
  login,
  refused: login.replace("<!-- refused -->", '<p role="alert">That is not the token.</p>'),
};

const SCRIPTS = {
  "chart.js": chart,
  "checkpoints.js": checkpoints,
  "dom.js": dom,
  "events.js": events,
  "flows.js": flows,
  "page.js": script,
  "sources.js": sources,
  "state.js": state,
  "table.js": table,
  "topology.js": topology,
  "trail.js": trail,
  "words.js": words,
};

const FILES = new Map<string, readonly [type: string, text: string]>([
  ["page.css", ["text/css; charset=utf-8", css]],
  ["favicon.svg", ["image/svg+xml", favicon]],
  ...Object.entries(SCRIPTS).map(([name, text]) =>
    [name, ["text/javascript; charset=utf-8", text]] as const
  ),
]);

/** Returns a page. */
export function page(name: keyof typeof PAGES, status = 200): Response {
  const headers = { "Content-Type": "text/html; charset=utf-8" };
  return new Response(PAGES[name], { status, headers });
}

/** Returns a file that belongs to the pages; there is nothing of an app in it. */
export function pageFile(name: string): Response | undefined {
  const file = FILES.get(name);
  if (file === undefined) return undefined;
  const [type, text] = file;
  return new Response(text, { headers: { "Content-Type": type } });
}
