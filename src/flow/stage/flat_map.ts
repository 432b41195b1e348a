import { YIELD_EVERY } from "../run/event_loop.ts";
import type { FlowRun } from "../run/flow_run.ts";
import { originsOf } from "./origins.ts";
import type { StagePlace } from "./opaque_pipe.ts";
import { type Emit, type FlowStage, isPromiseLike, type Maybe, stage } from "./stage.ts";

/** What `flatMap` takes from its function: the elements, at once or later. */
export type Elements<B> = Iterable<B | PromiseLike<B>> | AsyncIterable<B>;

/** The stage that passes on what `toElements` gives for each message, element by element. */
export function flatMapStage<A, B>(
  toElements: (message: A) => Elements<B> | PromiseLike<Elements<B>>,
  place: StagePlace,
): FlowStage<A, B> {
  const { flowRun, input, recovery } = place;
  return stage((emit) => {
    const call = (message: A): Maybe => {
      const failed = (error: unknown) => flowRun.callError(error, message, input);
      const spread = (elements: Elements<B>) =>
        new Spreading(flowRun, tracing(emit, place), failed).begin(elements);
      let elements: Elements<B> | PromiseLike<Elements<B>>;
      try {
        elements = toElements(message);
      } catch (error) {
        throw failed(error);
      }
      return isPromiseLike<Elements<B>>(elements)
        ? later(elements, spread, failed)
        : spread(elements as Elements<B>);
    };
    if (recovery.stops) return call;
    return (message) =>
      recovery.guard(() => call(message), (error) => flowRun.callError(error, message, input));
  });

  async function later(
    promise: PromiseLike<Elements<B>>,
    spread: (elements: Elements<B>) => Maybe,
    failed: (error: unknown) => unknown,
  ): Promise<void> {
    let elements: Elements<B>;
    try {
      elements = await promise;
    } catch (error) {
      throw failed(error);
    }
    flowRun.goOn();
    await spread(elements);
  }
}

/** Notes of elements that are messages of a batch themselves that they are made from these alone. */
function tracing<B>(emit: Emit<B>, { input }: StagePlace): Emit<B> {
  const all = input.from;
  if (all === undefined || all.length < 2) return emit;
  const single = new Map(originsOf(input, undefined)?.map((each) => [each.origin, [each]]));
  const passed = () => void (input.from = all);
  return (element) => {
    input.from = single.get(element) ?? all;
    const done = emit(element);
    return done === undefined ? passed() : done.then(passed);
  };
}

/** Passes on elements one after the other; an iterator that is left before its end is closed. */
class Spreading<B> {
  #passed = 0;

  constructor(
    readonly flowRun: FlowRun,
    readonly emit: Emit<B>,
    readonly failed: (error: unknown) => unknown,
  ) {}

  begin(elements: Elements<B>): Maybe {
    let iterator: Iterator<B | PromiseLike<B>>;
    try {
      const { [Symbol.asyncIterator]: later, [Symbol.iterator]: now } = methodsOf<B>(elements);
      if (later != null) return this.#passLater(later.call(elements));
      if (now == null) {
        throw new TypeError(`flatMap() needs an iterable, got ${Deno.inspect(elements)}`);
      }
      iterator = now.call(elements);
    } catch (error) {
      throw this.failed(error);
    }
    return this.#passAll(iterator);
  }

  /** Passes on until something must be waited for. */
  #passAll(iterator: Iterator<B | PromiseLike<B>>): Maybe {
    for (;;) {
      const step = this.#next(iterator);
      if (step.done) return;
      let done: Maybe;
      try {
        done = this.#pass(step.value);
      } catch (error) {
        this.#close(iterator, error);
        throw error;
      }
      if (done !== undefined) return this.#passRest(iterator, done);
    }
  }

  /** Goes on after the first element that had to be waited for. */
  async #passRest(iterator: Iterator<B | PromiseLike<B>>, first: Promise<void>): Promise<void> {
    for (let done: Maybe = first;;) {
      try {
        if (done !== undefined) await done;
        this.flowRun.goOn();
      } catch (error) {
        const failure = this.flowRun.sinkError(error);
        this.#close(iterator, failure);
        throw failure;
      }
      const step = this.#next(iterator);
      if (step.done) return;
      try {
        done = this.#pass(step.value);
      } catch (error) {
        this.#close(iterator, error);
        throw error;
      }
    }
  }

  async #passLater(iterator: AsyncIterator<B>): Promise<void> {
    for (;;) {
      let step: IteratorResult<B>;
      try {
        step = checked(await iterator.next());
      } catch (error) {
        throw this.failed(error);
      }
      if (step.done) return;
      try {
        this.flowRun.goOn();
        if (this.#mustYield()) await this.#yield();
        const done = this.emit(step.value);
        if (done !== undefined) await done;
        this.flowRun.goOn();
      } catch (error) {
        const failure = this.flowRun.sinkError(error);
        await this.#closeLater(iterator, failure);
        throw failure;
      }
    }
  }

  #next<T>(iterator: Iterator<T>): IteratorResult<T> {
    try {
      return checked(iterator.next());
    } catch (error) {
      throw this.failed(error);
    }
  }

  #pass(value: B | PromiseLike<B>): Maybe {
    const mustYield = this.#mustYield();
    if (mustYield || isPromiseLike<B>(value)) return this.#passAwaited(value, mustYield);
    return this.emit(value as B);
  }

  async #passAwaited(value: B | PromiseLike<B>, mustYield: boolean): Promise<void> {
    let element: B;
    try {
      element = await value;
    } catch (error) {
      throw this.failed(error);
    }
    if (mustYield) await this.#yield();
    this.flowRun.goOn();
    const done = this.emit(element);
    if (done !== undefined) await done;
  }

  /** True when others must have their turn: there may be elements without end. */
  #mustYield(): boolean {
    return ++this.#passed % YIELD_EVERY === 0 && this.flowRun.host.eventLoop.mustYield;
  }

  async #yield(): Promise<void> {
    await this.flowRun.host.eventLoop.yielded();
    this.flowRun.goOn();
  }

  #close(iterator: Iterator<unknown>, failure: unknown): void {
    try {
      iterator.return?.();
    } catch (error) {
      this.flowRun.also(this.failed(error), failure);
    }
  }

  async #closeLater(iterator: AsyncIterator<unknown>, failure: unknown): Promise<void> {
    try {
      await iterator.return?.();
    } catch (error) {
      this.flowRun.also(this.failed(error), failure);
    }
  }
}

/** The methods that make something iterable; a string has them too, `undefined` has none. */
function methodsOf<B>(elements: unknown): Partial<AsyncIterable<B> & Iterable<B | PromiseLike<B>>> {
  return elements == null ? {} : elements;
}

function checked<T>(step: IteratorResult<T>): IteratorResult<T> {
  if (typeof step === "object" && step !== null) return step;
  throw new TypeError(`next() must return an object, got ${step}`);
}
