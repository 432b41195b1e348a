import { AsyncLocalStorage } from "node:async_hooks";
import { systemClock } from "../../clock.ts";
import {
  currentWork,
  giveNumber,
  OVER,
  runFor,
  takeBack,
  takeBackAll,
  worksBriefly,
} from "./current.ts";
import { Pending } from "./pending.ts";
import { Receipt } from "../source/receipt.ts";
import type { StateDriver, StateStore } from "../state/state.ts";
import type { UndoLog } from "../state/undo_log.ts";
import type { Maybe } from "../stage/stage.ts";

/** For which message the code works that runs now. Read it at once: it changes with the next message. */
export interface Attribution {
  /** The name of the flow. */
  readonly flow: string;
  /** The message of the source. */
  readonly root: unknown;
  /** What acknowledges the message; retained by whoever does something for it later. */
  readonly receipt: Receipt | undefined;
  /** Runs what is to be done for a message later, under the error policy of the flow. */
  readonly guard: (step: () => Maybe, message: unknown) => Promise<void>;
  /** What user code has begun for messages of the run and not finished; see {@linkcode asPart}. */
  readonly pending: Pending;
  /** The work in flight, in flows that stores know. */
  readonly undoLog?: UndoLog | undefined;
  /** The store that holds the position of the message: only there it may write while flows drive it. */
  readonly state?: StateStore | undefined;
}

/** True once flows behind a Proxy are attributed too, to the message that a value was made from. */
let followed = false;

/** Has flows behind a Proxy attributed: those of the process that are opened from now on. */
export function followProxies(): void {
  followed = true;
}

/** Returns whether flows behind a Proxy are attributed. */
export function followsProxies(): boolean {
  return followed;
}

/**
 * Returns the message that a call belongs to, however deep in the handler it is made; undefined outside of
 * handlers and in flows that do not need it (it costs about 0.2 microseconds a message).
 */
export function currentMessage(): Attribution | undefined {
  const work = currentWork();
  return work === OVER ? DONE : work as Attribution | undefined;
}

/** Stands for a message that is done, whichever it was. */
export const DONE: Attribution = {
  flow: "",
  root: undefined,
  receipt: new Receipt(() => {}),
  guard: async (step) => await step(),
  pending: new Pending(systemClock),
};
DONE.receipt!.release();

/** What all work of a flow has in common. */
export type FlowWork = Pick<Attribution, "flow" | "guard" | "pending" | "state">;

/** The work for one message, until that is done: code that continues for it later works for {@linkcode DONE}. */
export class MessageWork implements Attribution {
  readonly #work: FlowWork;
  readonly #number: number;
  readonly #next: MessageWork | undefined;

  private constructor(
    work: FlowWork,
    public root: unknown,
    readonly receipt: Receipt,
    readonly undoLog: UndoLog | undefined,
  ) {
    this.#work = work;
    this.#number = giveNumber(this);
    this.#next = receipt.work as MessageWork | undefined;
    receipt.work = this;
  }

  /** Begins the work of a flow; behind a Proxy, one is enough for all values of a message, however many these are. */
  static begin(work: FlowWork, root: unknown, receipt: Receipt, undoLog: UndoLog | undefined) {
    let known = undoLog?.message === undefined
      ? receipt.work as MessageWork | undefined
      : undefined;
    while (known !== undefined && (known.#work !== work || known.undoLog !== undoLog)) {
      known = known.#next;
    }
    if (known === undefined) return new MessageWork(work, root, receipt, undoLog);
    known.root = root;
    return known;
  }

  get flow(): string {
    return this.#work.flow;
  }

  get guard(): Attribution["guard"] {
    return this.#work.guard;
  }

  get pending(): Pending {
    return this.#work.pending;
  }

  get state(): StateStore | undefined {
    return this.#work.state;
  }

  /** Calls `step` as a part of it. */
  run<A extends unknown[], R>(step: (...args: A) => R, ...args: A): R {
    return runFor(this.#number, step, ...args);
  }

  /** The message is done. */
  over(): void {
    // deno-lint-ignore no-this-alias -- of as many as there are flows behind Proxies
    for (let work: MessageWork | undefined = this; work !== undefined; work = work.#next) {
      takeBack(work.#number);
    }
  }
}

/** A run has ended: whatever was not done of it never will be. */
export function forgetWork(pending: Pending): void {
  takeBackAll((work) => (work as MessageWork).pending === pending);
}

/** Calls `call` as the work that `attribution` says. */
export const runAs: <A extends unknown[], R>(
  attribution: Attribution,
  call: (...args: A) => R,
  ...args: A
) => R = runFor;

/**
 * Makes `step` run on behalf of the message that `attribution` says. Entering costs a microsecond or more, and
 * next to nothing where the caller works for it already: a flow's turn does.
 */
export function onBehalf<A extends unknown[], R>(
  attribution: Attribution,
  step: (...args: A) => R,
): (...args: A) => R {
  return (...args) =>
    currentWork() === attribution ? step(...args) : runAs(attribution, step, ...args);
}

/**
 * Calls a step, as often as it is asked to, for whoever made this one: a promise goes on where it was waited
 * for, which costs a tenth of entering there again.
 */
export class Standby {
  #call!: () => void;
  // Made once: a promise is made for each step.
  readonly #begin = (resolve: () => void) => void (this.#call = resolve);
  readonly #go: () => void;

  /** Makes one on behalf of those for whom the caller works. */
  constructor(step: () => void) {
    this.#go = () => {
      this.#wait();
      step();
    };
    this.#wait();
  }

  /** Has the step called in a promise job; once, when it is asked again before that. */
  call(): void {
    this.#call();
  }

  #wait(): void {
    new Promise<void>(this.#begin).then(this.#go);
  }
}

/**
 * Makes `call`, a send or a write of user code, a part of the message for which the caller works, whether it
 * is awaited or not: the message is not acknowledged, and its run does not end, before the call has settled.
 *
 * - A rejection is the caller's. One that nobody handles ends the process in the same macrotask, so the message
 *   is acknowledged no earlier than in the next one.
 * - Where the message is done already, or there is none, it is the caller's alone.
 *
 * @param what The call, in words.
 */
export function asPart<T>(what: string, call: () => Promise<T>): Promise<T> {
  const message = currentMessage();
  if (message?.receipt === undefined || message.receipt.done) return call();
  if (!worksBriefly()) return partOf(message, message.receipt, what, call);
  const own = copyOf(message);
  return runAs(own, () => partOf(own, message.receipt!, what, call));
}

/** The same message as it is now: some objects name one message after the other. */
export function copyOf(message: Attribution): Attribution {
  const { flow, root, receipt, guard, pending, undoLog, state } = message;
  return { flow, root, receipt, guard, pending, undoLog, state };
}

async function partOf<T>(
  { flow, root, pending }: Attribution,
  receipt: Receipt,
  what: string,
  call: () => Promise<T>,
): Promise<T> {
  const over = pending.begin({ flow, root, what }, receipt);
  try {
    const result = await call();
    over();
    return result;
  } catch (error) {
    systemClock.macrotask(over);
    throw error;
  }
}

/** A commit that waits for code of the user's, and the stores that it brings to disk after that. */
interface Scope {
  readonly drivers: readonly StateDriver[];
  over: boolean;
}

const commits = new AsyncLocalStorage<Scope>();

/** Calls what a commit waits for before it brings the stores of `drivers` to disk. */
export async function duringCommit(
  drivers: readonly StateDriver[],
  call: () => Promise<unknown>,
): Promise<void> {
  if (drivers.length === 0) return void await call();
  const scope = { drivers, over: false };
  try {
    await commits.run(scope, call);
  } finally {
    scope.over = true;
  }
}

/** Returns whether a commit waits for the caller, and the store of `driver` for that commit. */
export function isDuringCommitOf(driver: StateDriver): boolean {
  const scope = commits.getStore();
  return scope !== undefined && !scope.over && scope.drivers.includes(driver);
}
