import css from "./page/page.css" with { type: "text" };
import dashboard from "./page/dashboard.html" with { type: "text" };
import favicon from "./page/favicon.svg" with { type: "text" };
import login from "./page/login.html" with { type: "text" };
import script from "./page/page.js" with { type: "text" };

/** The pages: the package has them as text, so nothing is fetched, and nothing is built. */
const PAGES = {
  dashboard,
  login,
  refused: login.replace("<!-- refused -->", '<p role="alert">That is not the token.</p>'),
};

const FILES: Readonly<Record<string, readonly [type: string, text: string]>> = {
  "page.css": ["text/css; charset=utf-8", css],
  "page.js": ["text/javascript; charset=utf-8", script],
  "favicon.svg": ["image/svg+xml", favicon],
};

/** Returns a page. */
export function page(name: keyof typeof PAGES, status = 200): Response {
  const headers = { "Content-Type": "text/html; charset=utf-8" };
  return new Response(PAGES[name], { status, headers });
}

/** Returns a file that belongs to the pages; there is nothing of an app in it. */
export function pageFile(name: string): Response | undefined {
  if (!Object.hasOwn(FILES, name)) return undefined;
  const [type, text] = FILES[name]!;
  return new Response(text, { headers: { "Content-Type": type } });
}
