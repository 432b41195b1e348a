/** A real browser for tests: Chromium without a window, spoken to by its DevTools protocol. */

/** Where Chromium is; undefined where it is not installed (Debian's package `chromium`, see .ci/run). */
export const chromium: string | undefined = await find();

async function find(): Promise<string | undefined> {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    const { success, stdout } = await new Deno.Command("sh", {
      args: ["-c", `command -v ${name}`],
      stderr: "null",
    }).output();
    if (success) return new TextDecoder().decode(stdout).trim();
  }
  return undefined;
}

/** A test that needs the browser; without one it is ignored, and says so. With `BROWSER_REQUIRED=1` it fails. */
export function browserTest(name: string, run: (browser: Browser) => Promise<void>): void {
  const isRequired = Deno.env.get("BROWSER_REQUIRED") === "1";
  const missing = chromium === undefined && !isRequired;
  Deno.test({
    name: missing ? `${name} (ignored: Chromium is not installed)` : name,
    ignore: missing,
    async fn() {
      await using browser = await Browser.start();
      await run(browser);
    },
  });
}

/** How a page is shown. */
export interface PageOptions {
  readonly width?: number;
  readonly height?: number;
  readonly scheme?: "light" | "dark";
}

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** Chromium, running. */
export class Browser implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #folder: string;
  readonly #socket: WebSocket;
  readonly #stopReading: () => Promise<void>;
  readonly #waiting = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  readonly #listeners = new Set<(answer: Answer) => void>();
  #next = 1;

  private constructor(
    process: Deno.ChildProcess,
    folder: string,
    socket: WebSocket,
    stopReading: () => Promise<void>,
  ) {
    this.#process = process;
    this.#folder = folder;
    this.#socket = socket;
    this.#stopReading = stopReading;
    socket.onmessage = ({ data }) => {
      const answer = JSON.parse(data) as Answer;
      const waiting = answer.id === undefined ? undefined : this.#waiting.get(answer.id);
      if (waiting === undefined) {
        for (const listener of this.#listeners) listener(answer);
        return;
      }
      this.#waiting.delete(answer.id!);
      if (answer.error) waiting.reject(new Error(answer.error.message));
      else waiting.resolve(answer.result ?? {});
    };
  }

  /** Starts it. */
  static async start(): Promise<Browser> {
    if (chromium === undefined) throw new Error("Chromium is not installed");
    const folder = await Deno.makeTempDir();
    const process = new Deno.Command(chromium, {
      args: [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--no-first-run",
        "--remote-debugging-port=0",
        `--user-data-dir=${folder}`,
        "about:blank",
      ],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const { url, stop } = await addressIn(process.stderr);
    const socket = new WebSocket(url);
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = () => reject(new Error("Cannot speak to Chromium"));
    });
    return new Browser(process, folder, socket, stop);
  }

  /** Sends a command; `session` is that of a page. */
  send(
    method: string,
    params: Record<string, unknown> = {},
    session?: string,
  ): Promise<Record<string, unknown>> {
    const id = this.#next++;
    const waiting = Promise.withResolvers<Record<string, unknown>>();
    this.#waiting.set(id, waiting);
    this.#socket.send(
      JSON.stringify({ id, method, params, ...(session && { sessionId: session }) }),
    );
    return waiting.promise;
  }

  /** Calls `listener` with what a page tells; returns what ends that. */
  listen(session: string, listener: (method: string, params: Record<string, unknown>) => void) {
    const own = ({ method, params = {}, sessionId }: Answer) => {
      if (sessionId === session && method !== undefined) listener(method, params);
    };
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** Opens a page. */
  async open(url: string, options: PageOptions = {}): Promise<Page> {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, sessionId as string);
    await page.begin();
    await page.show(options);
    await page.go(url);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#socket.onclose = () => resolve());
    this.send("Browser.close").catch(() => {});
    await closed;
    await this.#process.status;
    await this.#stopReading();
    for (const { reject } of this.#waiting.values()) reject(new Error("Chromium is closed"));
    await Deno.remove(this.#folder, { recursive: true }).catch(() => {});
  }
}

/** Reads where Chromium listens from what it prints, and the rest of that until it is stopped: helpers may outlive it. */
async function addressIn(
  stderr: ReadableStream<Uint8Array>,
): Promise<{ url: string; stop: () => Promise<void> }> {
  const reader = stderr.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value = "" } = await reader.read();
    text += value;
    const url = /ws:\/\/\S+/.exec(text)?.[0];
    if (url !== undefined) {
      const rest = (async () => {
        while (!(await reader.read()).done);
      })();
      return { url, stop: () => reader.cancel().then(() => rest) };
    }
    if (done) throw new Error(`Chromium has not started:\n${text}`);
  }
}

/** A page of the browser. */
export class Page {
  /** What the page itself has complained about: errors, and what its policy refused. */
  readonly complaints: string[] = [];
  /** The addresses that it asked for. */
  readonly requests: string[] = [];
  readonly #browser: Browser;
  readonly #session: string;

  constructor(browser: Browser, session: string) {
    this.#browser = browser;
    this.#session = session;
  }

  /** Notes what the page tells. */
  async begin(): Promise<void> {
    this.#browser.listen(this.#session, (method, params) => {
      if (method === "Runtime.exceptionThrown" || method === "Log.entryAdded") {
        const { text = "", url = "" } = (params.entry ?? params.exceptionDetails) as {
          text?: string;
          url?: string;
        };
        this.complaints.push(`${text} ${JSON.stringify(params).slice(0, 600)} ${url}`);
      }
      if (method === "Network.requestWillBeSent") {
        this.requests.push((params.request as { url: string }).url);
      }
    });
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await this.send(`${domain}.enable`);
  }

  /** Sends a command. */
  send(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    return this.#browser.send(method, params, this.#session);
  }

  /** Sets its size and its colours. */
  async show({ width = 1280, height = 900, scheme = "light" }: PageOptions): Promise<void> {
    await this.send("Emulation.setDeviceMetricsOverride", {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: false,
    });
    await this.send("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: scheme }],
    });
  }

  /** Goes to an address, and resolves when it is loaded. */
  async go(url: string): Promise<void> {
    const loaded = Promise.withResolvers<void>();
    const unlisten = this.#browser.listen(this.#session, (method) => {
      if (method === "Page.loadEventFired") loaded.resolve();
    });
    await this.send("Page.navigate", { url });
    await loaded.promise;
    unlisten();
  }

  /** Evaluates an expression in the page. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", {
      expression,
      returnByValue: true,
      awaitPromise: true,
    }) as { result: { value: T }; exceptionDetails?: unknown };
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
    return result.value;
  }

  /** The text of the page, or of what a selector finds. */
  text(selector = "body"): Promise<string> {
    return this.evaluate(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ""`);
  }

  /** Resolves when an expression is true in the page: the page itself looks, also the one that comes after this one. */
  async until(expression: string, seconds = 60): Promise<void> {
    const end = performance.now() + seconds * 1_000;
    while (performance.now() < end) {
      const found = this.evaluate<boolean>(`new Promise((resolve) => {
        const end = performance.now() + ${end - performance.now()};
        const look = () => {
          if (${expression}) resolve(true);
          else if (performance.now() > end) resolve(false);
          else setTimeout(look, 50);
        };
        look();
      })`);
      if (await found.catch(() => false)) return;
    }
    throw new Error(`After ${seconds} s it is not so: ${expression}\n${await this.text()}`);
  }

  /** Moves the pointer. */
  async point(x: number, y: number): Promise<void> {
    await this.send("Input.dispatchMouseEvent", { type: "mouseMoved", x, y });
  }

  /** Presses a key. */
  async press(key: string): Promise<void> {
    for (const type of ["keyDown", "keyUp"]) {
      await this.send("Input.dispatchKeyEvent", { type, key, code: key });
    }
  }

  /** Takes a picture of the whole page. */
  async picture(): Promise<Uint8Array> {
    const { cssContentSize } = await this.send("Page.getLayoutMetrics") as {
      cssContentSize: { width: number; height: number };
    };
    const { data } = await this.send("Page.captureScreenshot", {
      captureBeyondViewport: true,
      clip: { x: 0, y: 0, ...cssContentSize, scale: 1 },
    });
    return Uint8Array.fromBase64(data as string);
  }
}
