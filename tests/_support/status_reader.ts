import type { Observer } from "@slipstream/slipstream/observe";
import { EventSourceParserStream } from "eventsource-parser/stream";

/** An event of `/status`. */
export interface ReadEvent {
  readonly event: string | undefined;
  readonly id: string | undefined;
  // deno-lint-ignore no-explicit-any
  readonly data: any;
}

/** Reads the events of `/status`, one after the other, until it is disposed. */
export async function statusReader(observer: Pick<Observer, "fetch">) {
  const response = await observer.fetch(new Request("http://localhost/status"));
  const reader = response.body!.pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream()).getReader();
  const next = async (): Promise<ReadEvent | undefined> => {
    const { done, value } = await reader.read();
    if (done) return undefined;
    return { event: value.event, id: value.id, data: JSON.parse(value.data) };
  };
  return {
    next,
    /** Returns the first event that passes; those before it are dropped. */
    async until(passes: (event: ReadEvent) => boolean): Promise<ReadEvent> {
      for (;;) {
        const event = await next();
        if (event === undefined) throw new Error("The status has ended");
        if (passes(event)) return event;
      }
    },
    [Symbol.asyncDispose]: () => reader.cancel(),
  };
}
