import { type App, listen } from "../app.ts";
import { type Clock, onlookersClock } from "../clock.ts";
import type { Duration } from "../duration.ts";
import { summaryOf } from "../flow/view/error_summary.ts";
import {
  clock,
  duration,
  flag,
  must,
  number,
  oneOf,
  type Read,
  readOptions,
  type Rules,
} from "../options.ts";
import { describe, redactText } from "../redact.ts";
import type { AppSnapshot } from "../snapshot.ts";
import type { PartEvent, StatusEvent } from "../status.ts";
import type { Topology } from "../topology.ts";
import { Access } from "./access.ts";
import { EventFilter } from "./event_filter.ts";
import { EventLog } from "./event_log.ts";
import { eventStream } from "./event_stream.ts";
import { type Health, liveness, readiness } from "./health.ts";
import { Incidents } from "./incidents.ts";
import { toMermaid } from "./mermaid.ts";
import { toPrometheus } from "./metrics.ts";
import { page, pageFile } from "./page.ts";
import { problemsOf } from "./problems.ts";
import { ProgressWatch } from "./progress_watch.ts";
import { toldEvent } from "./told_event.ts";
import { Trail } from "./trail.ts";

/** Options of an {@linkcode observer}. */
export interface ObserverOptions {
  /**
   * What whoever looks must show: as `Authorization: Bearer …`, or in the form that the page shows. At least 16
   * characters. Without it only requests to this machine (`localhost`, `127.0.0.1`, `[::1]`) are answered.
   */
  token?: string | undefined;
  /**
   * Whether requests to any host are answered without a token: where something in front of it decides who may look.
   *
   * @default {false}
   */
  unprotected?: boolean | undefined;
  /**
   * The path below which it is, for instance `"/ops"`.
   *
   * @default {""}
   */
  path?: string | undefined;
  /**
   * Whether the texts of errors are shown that handlers and codecs threw (`"text"`), which may quote a message, or only
   * what they are and where they happened.
   *
   * @default {"place"}
   */
  errors?: "place" | "text" | undefined;
  /**
   * After how long without progress a partition with messages, or a message in flight, is no longer alive.
   *
   * @default {{ minutes: 5 }}
   */
  stalledAfter?: Duration | undefined;
  /**
   * How long waiting for brokers, for the other members of a group or for a checkpoint counts as alive.
   *
   * @default {{ minutes: 10 }}
   */
  waitingFor?: Duration | undefined;
  /**
   * How often a snapshot is sent to those who look at the page.
   *
   * @default {1000}
   */
  interval?: Duration | undefined;
  /**
   * How many clients may read `/status` at a time; others get 503.
   *
   * @default {16}
   */
  clients?: number | undefined;
  /**
   * Time and timers of the observer itself.
   *
   * @default {"the machine's, which does not keep the process running"}
   */
  clock?: Clock | undefined;
}

/** Shows an app over HTTP. */
export interface Observer extends Disposable {
  /** Answers a request: for `Deno.serve`, Hono, or anything else that takes `(Request) => Response`. */
  readonly fetch: (request: Request) => Promise<Response>;
  /** Ends the event streams, and looks no more. */
  close(): void;
}

/** What the options must be. */
export const OBSERVER_RULES = {
  token: must(
    "a string of at least 16 characters",
    (value) => typeof value === "string" && value.length >= 16,
    { secret: true },
  ),
  unprotected: flag,
  path: must(
    'a path that begins with "/" and does not end with it, or ""',
    (value) => typeof value === "string" && /^(\/[\w.~-]+)*$/.test(value),
  ),
  errors: oneOf("place", "text"),
  stalledAfter: duration({ positive: true }),
  waitingFor: duration({ positive: true }),
  interval: duration({ positive: true, finite: true }),
  clients: number({ least: 1, integer: true }),
  clock,
} as const satisfies Rules<ObserverOptions>;

/**
 * Shows an app over HTTP, for a server that is there already: {@linkcode Observer.fetch} answers below `path`.
 *
 * | path             | what                                                                              |
 * | ---------------- | --------------------------------------------------------------------------------- |
 * | `/`              | the dashboard                                                                     |
 * | `/live`          | 200, or 503 where a restart would help; the reasons as JSON                       |
 * | `/ready`         | 200 once the partitions are assigned and the state is restored, else 503          |
 * | `/metrics`       | the text format of Prometheus                                                     |
 * | `/topology.json` | `app.topology()`                                                                  |
 * | `/topology.mmd`  | the same as a flowchart of Mermaid                                                |
 * | `/snapshot.json` | `app.snapshot()`                                                                  |
 * | `/trail.json`    | how lag, watermarks and rates went in the last half hour, for the charts of the page |
 * | `/status`        | status events and snapshots as server-sent events, resumable by `Last-Event-ID`   |
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App } from "@slipstream/slipstream";
 * import { observer } from "@slipstream/slipstream/observe";
 *
 * const app = new App();
 * app.handle("ab", () => {}, { name: "count" });
 * using seen = observer(app);
 * const response = await seen.fetch(new Request("http://localhost/ready"));
 * assertEquals(response.status, 503); // it does not stream yet
 * assertEquals((await response.json()).checks[0].reason, "the app is idle");
 * ```
 *
 * @throws {TypeError} If an option is unknown or has the wrong shape.
 * @throws {RangeError} If a duration or a number is out of bounds.
 */
export function observer<Args>(app: App<Args>, options: ObserverOptions = {}): Observer {
  if (typeof app?.[listen] !== "function") {
    throw new TypeError(
      `Cannot observe ${describe(app)}: give an App; that of handle() is exported as "app"`,
    );
  }
  return new AppObserver(
    app as unknown as App,
    readOptions("observer", options, OBSERVER_RULES),
  );
}

/** With nobody at the page, a point of the trail is taken once in so many intervals. */
const QUIET_INTERVALS = 5;
/** What stands for the text of an error that may quote a message. */
const HIDDEN = 'not shown, since it may quote a message: set { errors: "text" }';
const LOST_CREDENTIALS = { "WWW-Authenticate": 'Bearer realm="slipstream"' };

class AppObserver implements Observer {
  readonly #app: App;
  readonly #access: Access;
  readonly #path: string;
  readonly #showsTexts: boolean;
  readonly #limits: { readonly stalledAfter: number; readonly waitingFor: number };
  readonly #mostClients: number;
  readonly #intervalMs: number;
  readonly #clock: Clock;
  readonly #watch: ProgressWatch;
  readonly #log: EventLog;
  readonly #trail = new Trail();
  readonly #filter: EventFilter;
  readonly #incidents = new Incidents();
  readonly #unlisten: () => void;
  readonly #closing = new AbortController();
  #cancelTimer: () => void = () => {};
  #clients = 0;
  /** Whether the app had ended when it was looked at last. */
  #isOver = false;
  #quiet = 0;

  constructor(app: App, options: Read<ObserverOptions, typeof OBSERVER_RULES>) {
    const {
      token,
      unprotected = false,
      path = "",
      errors = "place",
      stalledAfter = 300_000,
      waitingFor = 600_000,
      interval = 1_000,
      clients = 16,
      clock = onlookersClock,
    } = options;
    this.#app = app;
    this.#access = new Access({ token, unprotected });
    this.#path = path;
    this.#showsTexts = errors === "text";
    this.#limits = { stalledAfter, waitingFor };
    this.#mostClients = clients;
    this.#intervalMs = interval;
    this.#clock = clock;
    this.#watch = new ProgressWatch(clock);
    this.#log = new EventLog(crypto.randomUUID().slice(0, 8));
    this.#filter = new EventFilter(clock);
    this.#unlisten = app[listen]((event, at) => {
      this.#onlooking(() => this.#note(event, at));
      if (event.type === "ended") this.#clock.macrotask(() => this.#show());
    });
    this.#tick();
  }

  readonly fetch = async (request: Request): Promise<Response> => {
    const response = await this.#answer(request);
    for (const [name, value] of Object.entries(HEADERS)) response.headers.set(name, value);
    return request.method === "HEAD" ? new Response(null, response) : response;
  };

  close(): void {
    this.#cancelTimer();
    this.#cancelTimer = () => {};
    this.#unlisten();
    this.#closing.abort();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const refusal = this.#access.refusal(request);
    if (refusal !== undefined) return text(`${refusal.reason}\n`, refusal.status);
    if (this.#closing.signal.aborted) return text("the observer is closed\n", 503);
    if (!pathname.startsWith(`${this.#path}/`)) {
      if (pathname !== this.#path) return this.#nothingAt(pathname);
      // Relative, as all links are: what is in front of it may have cut something off.
      const last = pathname.slice(pathname.lastIndexOf("/") + 1);
      return new Response(null, { status: 308, headers: { Location: `${last}/` } });
    }
    const name = pathname.slice(this.#path.length + 1);
    if (name === "login" && request.method === "POST") return await this.#login(request);
    if (request.method !== "GET" && request.method !== "HEAD") {
      return text("use GET\n", 405, { Allow: "GET, HEAD" });
    }
    const mayLook = await this.#access.mayLook(request);
    if (name === "live" || name === "ready") return this.#probe(name, mayLook);
    const file = pageFile(name);
    if (file !== undefined) return file;
    if (!mayLook) {
      if (name === "") return page("login", 401);
      return text("a token is needed\n", 401, LOST_CREDENTIALS);
    }
    return this.#document(name, request) ?? this.#nothingAt(pathname);
  }

  #nothingAt(pathname: string): Response {
    const hint = pathname.startsWith(`${this.#path}/`)
      ? ""
      : `: the observer is below ${this.#path}/, and needs the whole path`;
    return text(`there is nothing at ${pathname}${hint}\n`, 404);
  }

  #document(name: string, request: Request): Response | undefined {
    switch (name) {
      case "":
        return page("dashboard");
      case "metrics":
        return text(toPrometheus(this.#look().snapshot), 200, {
          "Content-Type": "text/plain; version=0.0.4; charset=utf-8",
        });
      case "topology.json":
        return json(JSON.stringify(this.#app.topology()));
      case "topology.mmd":
        return text(toMermaid(this.#app.topology()));
      case "snapshot.json":
        return this.#snapshot();
      case "trail.json":
        return json(JSON.stringify(this.#trail.data));
      case "status":
        return this.#stream(request);
    }
    return undefined;
  }

  #snapshot(): Response {
    const { snapshot } = this.#look();
    return json(this.#toJson(snapshot, snapshot.at));
  }

  #look(): { readonly snapshot: AppSnapshot; readonly topology: Topology } {
    const [snapshot, topology] = [this.#app.snapshot(), this.#app.topology()];
    this.#watch.see(snapshot, topology);
    return { snapshot, topology };
  }

  /** Without a token a probe is told no more than whether it is so. */
  #probe(name: "live" | "ready", mayLook: boolean): Response {
    const { snapshot, topology } = this.#look();
    const health: Health = name === "live"
      ? liveness(snapshot, topology, this.#watch, this.#limits)
      : readiness(snapshot);
    const { ok, checks } = health;
    return json(JSON.stringify(mayLook ? { ok, checks } : { ok }), ok ? 200 : 503);
  }

  async #login(request: Request): Promise<Response> {
    const length = Number(request.headers.get("content-length") ?? Infinity);
    if (!(length <= 4_096)) return text("the form is too large\n", 413);
    const form = new URLSearchParams(await request.text());
    if (!await this.#access.isToken(form.get("token") ?? "")) return page("refused", 401);
    return new Response(null, {
      status: 303,
      headers: {
        "Location": "./",
        "Set-Cookie": await this.#access.cookie(request),
      },
    });
  }

  #stream(request: Request): Response {
    if (this.#clients >= this.#mostClients) {
      return text("too many clients read the status\n", 503, { "Retry-After": "10" });
    }
    const headers = { "Content-Type": "text/event-stream" };
    if (request.method === "HEAD") return new Response(null, { headers });
    this.#clients++;
    this.#show();
    const place = this.#log.placeOf(request.headers.get("last-event-id"));
    const stream = eventStream(
      this.#log,
      place,
      this.#closing.signal,
      () => this.#isOver,
      () => void this.#clients--,
    );
    return new Response(stream, { headers });
  }

  /** Takes a snapshot now and then, for the trail; often, and for all, while somebody reads the status. */
  #tick(): void {
    this.#cancelTimer = this.#clock.timer(() => {
      this.#tick();
      this.#onlooking(() => {
        for (const more of this.#filter.takeMore()) {
          this.#log.add("status", JSON.stringify({ at: this.#app.snapshot().at, ...more }));
        }
      });
      if (this.#clients > 0 || ++this.#quiet % QUIET_INTERVALS === 0) this.#show();
    }, this.#intervalMs);
  }

  #show(): void {
    if (!this.#closing.signal.aborted) this.#onlooking(() => this.#showNow());
  }

  #showNow(): void {
    const { snapshot, topology } = this.#look();
    const wasOver = this.#isOver;
    this.#isOver = snapshot.state === "ended";
    if (snapshot.state !== "idle" && !(wasOver && this.#isOver)) this.#trail.add(snapshot);
    if (this.#clients === 0) return;
    const problems = problemsOf(snapshot, this.#watch, this.#incidents);
    this.#log.show(this.#toJson({ snapshot, problems, topology }, snapshot.at));
  }

  /** Something has happened to the app, or to a part of it. */
  #note(event: StatusEvent | PartEvent, at: number): void {
    if ("event" in event) this.#incidents.note(event, at);
    if (!this.#filter.passes(event)) return;
    this.#log.add("status", this.#toJson({ at, ...toldEvent(event, at) }, at));
  }

  /** Whoever looks on ends nothing: what cannot be looked at is told on the page. */
  #onlooking(look: () => void): void {
    try {
      look();
    } catch (error) {
      const text = `Cannot look at the app: ${
        redactText(error instanceof Error ? error.message : String(error))
      }`;
      this.#log.add("unseen", JSON.stringify({ text }));
    }
  }

  /** Errors as summaries, without texts that may quote messages. */
  #toJson(value: unknown, at: number): string {
    return JSON.stringify(value, (key, value) => {
      if (
        value instanceof Error ||
        key === "error" && typeof value === "object" && value !== null && !("quotes" in value)
      ) {
        return this.#veil(summaryOf(value, at));
      }
      if (typeof value?.quotes === "boolean") return this.#veil(value);
      return key === "store" && typeof value === "string" ? redactText(value) : value;
    });
  }

  #veil<S extends { readonly text: string; readonly quotes: boolean }>(summary: S): S {
    return summary.quotes && !this.#showsTexts && summary.text !== HIDDEN
      ? { ...summary, text: HIDDEN }
      : summary;
  }
}

const HEADERS = {
  "Cache-Control": "no-store",
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
    "img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "same-origin", // "no-referrer" would have browsers post the form with the origin "null"
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
};

function text(body: string, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(body, {
    status,
    headers: { "Content-Type": "text/plain; charset=utf-8", ...headers },
  });
}

function json(body: string, status = 200): Response {
  return new Response(body, { status, headers: { "Content-Type": "application/json" } });
}
