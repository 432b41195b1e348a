import { App, type AppOptions } from "@slipstream/slipstream";
import { type Observer, observer, type ObserverOptions } from "@slipstream/slipstream/observe";

/** An app with one flow whose handler waits until it is told to go on, and an observer of it. */
export interface Observed extends AsyncDisposable {
  readonly app: App;
  readonly observer: Observer;
  /** Asks for a path at localhost. */
  get(path: string, init?: RequestInit): Promise<Response>;
  /** Streams until the handler has its message. */
  begin(): Promise<void>;
}

export function observed(options: ObserverOptions = {}, appOptions: AppOptions = {}): Observed {
  const app = new App(appOptions);
  const begun = Promise.withResolvers<void>();
  const { promise, resolve } = Promise.withResolvers<void>();
  app.handle([{ partition: 0, offset: 7 }], () => {
    begun.resolve();
    return promise;
  }, { name: "wait" });
  const seen = observer(app, options);
  let streaming: Promise<void> | undefined;
  return {
    app,
    observer: seen,
    get: (path, init) => seen.fetch(new Request(`http://localhost${path}`, init)),
    begin() {
      streaming ??= app.stream();
      return begun.promise;
    },
    async [Symbol.asyncDispose]() {
      resolve();
      await streaming;
      seen.close();
    },
  };
}
