import { timingSafeEqual } from "node:crypto";

/** What protects an observer. */
export interface AccessOptions {
  /** What whoever looks must show. */
  readonly token: string | undefined;
  /** Whether requests to any host are answered without a token. */
  readonly unprotected: boolean;
}

/** Why a request is refused. */
export interface Refusal {
  /** The status of the answer. */
  readonly status: 401 | 403;
  /** Why, in words. */
  readonly reason: string;
}

const COOKIE = "slipstream-observer";
const encoder = new TextEncoder();

/**
 * Decides which requests are answered.
 *
 * - None of another site, whatever it brings: a page elsewhere must not read what the browser may.
 * - Without a token only those to a name of this machine: a name of somebody else's that leads here is refused, too.
 * - With a token only those that bring it, as a bearer or in the cookie that the page was given for it.
 */
export class Access {
  readonly #options: AccessOptions;
  #cookie: Promise<string> | undefined;

  /** Protects by these options. */
  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** Why a request is refused wherever it goes; undefined when it is not. */
  refusal(request: Request): Refusal | undefined {
    const { token, unprotected } = this.#options;
    const site = request.headers.get("sec-fetch-site");
    const origin = request.headers.get("origin");
    const { host, hostname } = new URL(request.url);
    // Where the browser says where it comes from, that counts: a proxy may have changed the host of the request.
    const isForeign = site === "cross-site" || site === "same-site" ||
      (site === null && origin !== null && hostOf(origin) !== host);
    if (isForeign) return { status: 403, reason: "requests of other sites are refused" };
    if (token !== undefined || unprotected || isLoopback(hostname)) return undefined;
    return {
      status: 403,
      reason: `without a token only requests to this machine are answered, not to ${hostname}: ` +
        'set "token", or "unprotected"',
    };
  }

  /** Returns whether a request may see more than the state of the probes. */
  async mayLook(request: Request): Promise<boolean> {
    const { token } = this.#options;
    if (token === undefined) return true;
    const bearer = /^Bearer +(.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    if (bearer !== undefined) return this.isToken(bearer);
    const cookies = (request.headers.get("cookie") ?? "").split(/; */);
    const given = cookies.find((each) => each.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1);
    return given !== undefined && await isSame(given, await this.#cookieValue());
  }

  /** Returns whether this is the token. */
  isToken(given: string): Promise<boolean> {
    return isSame(given, this.#options.token ?? "");
  }

  /**
   * The header that gives a browser its cookie, for as long as it is open. It names no path: so it is for what the
   * browser sees beside the login, whatever a proxy has cut off.
   */
  async cookie(request: Request): Promise<string> {
    const secure = new URL(request.url).protocol === "https:" ? "; Secure" : "";
    return `${COOKIE}=${await this.#cookieValue()}; HttpOnly; SameSite=Strict${secure}`;
  }

  /** What is in the cookie: it must not be the token, and no more than the token can make it. */
  #cookieValue(): Promise<string> {
    return this.#cookie ??= digest(`slipstream observer ${this.#options.token}`)
      .then((bytes) => bytes.toHex());
  }
}

/** Returns whether a host is this machine by its name. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname.endsWith(".localhost") || hostname === "[::1]" ||
    hostname === "::1" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

/** Compares in a time that tells nothing of where they differ. */
async function isSame(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([digest(a), digest(b)]);
  return timingSafeEqual(first, second);
}

async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text)));
}
