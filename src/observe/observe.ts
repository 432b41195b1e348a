import type { App } from "../app.ts";
import { number, readOptions, type Rules, text } from "../options.ts";
import { isLoopback } from "./access.ts";
import { observer, OBSERVER_RULES, type ObserverOptions } from "./observer.ts";

/** Options of {@linkcode observe}. */
export interface ObserveOptions extends ObserverOptions {
  /**
   * The port; 0 for any that is free. The default is that of OpenTelemetry's exporter for Prometheus.
   *
   * @default {9464}
   */
  port?: number | undefined;
  /**
   * The address that it listens on. Another than that of this machine needs `token`, or `unprotected`.
   *
   * @default {"127.0.0.1"}
   */
  hostname?: string | undefined;
}

const RULES = {
  ...OBSERVER_RULES,
  port: number({ least: 0, most: 65_535, integer: true }),
  hostname: text,
} as const satisfies Rules<ObserveOptions>;

/** A server that shows an app. */
export interface ObserveServer extends AsyncDisposable {
  /** Where it is: `http://127.0.0.1:9464/`. */
  readonly url: string;
  /** Its port. */
  readonly port: number;
  /** Ends it, with the connections to it. */
  close(): Promise<void>;
}

/**
 * Shows an app at a port of its own; see {@linkcode observer} for what is there. It does not keep the process running.
 * Deno needs `--allow-net`.
 *
 * @example
 * ```ts
 * import { App } from "@slipstream/slipstream";
 * import { observe } from "@slipstream/slipstream/observe";
 *
 * const app = new App();
 * app.handle([1, 2, 3], (n) => console.log(n));
 * await using server = observe(app, { port: 0 });
 * console.log(`Look at ${server.url}`);
 * await app.stream();
 * ```
 *
 * @throws {TypeError} If an option is unknown or has the wrong shape, or the address is not that of this machine, and
 * there is neither a token nor `unprotected`.
 * @throws {RangeError} If a number is out of bounds.
 * @throws {Deno.errors.AddrInUse} If the port is taken.
 */
export function observe<Args>(app: App<Args>, options: ObserveOptions = {}): ObserveServer {
  readOptions("observe", options, RULES);
  const { port = 9464, hostname = "127.0.0.1", ...rest } = options;
  if (!isLoopback(hostname) && rest.token === undefined && rest.unprotected !== true) {
    throw new TypeError(
      `Cannot show an app at ${hostname} to everybody who can reach it: set "token", ` +
        'or "unprotected: true" where something else protects it',
    );
  }
  const shown = observer(app, rest);
  let server: Deno.HttpServer<Deno.NetAddr>;
  try {
    server = Deno.serve({ port, hostname, onListen: () => {} }, shown.fetch);
  } catch (error) {
    shown.close();
    throw error;
  }
  server.unref();
  const { addr } = server;
  const host = addr.hostname.includes(":") ? `[${addr.hostname}]` : addr.hostname;
  let closed: Promise<void> | undefined;
  const close = () => {
    shown.close();
    return closed ??= server.shutdown();
  };
  return {
    url: `http://${host}:${addr.port}${rest.path ?? ""}/`,
    port: addr.port,
    close,
    [Symbol.asyncDispose]: close,
  };
}
