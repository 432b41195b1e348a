import { encodeKey, keyOf } from "../cache/keys.ts";
import { copyIn } from "../cache/values.ts";
import type { Clock } from "../clock.ts";
import { describe } from "../redact.ts";
import { Given } from "../flow/concurrency/given_results.ts";
import { currentMessage, runAs } from "../flow/run/attribution.ts";
import type { Receipt } from "../flow/source/receipt.ts";
import { RootMessage } from "../flow/state/root_message.ts";
import type { Ticker } from "../flow/source/ticker.ts";
import type { StagePlace } from "../flow/stage/opaque_pipe.ts";
import type { ConcurrentTicking, Ticking } from "../flow/stage/ticking.ts";
import type { Emit, Maybe } from "../flow/stage/stage.ts";
import type { WindowCounts } from "../snapshot.ts";
import type { StatusEvent } from "../status.ts";
import { assertSameDefinition } from "./definition.ts";
import { IdleAdvance } from "./idle_advance.ts";
import type { WindowSettings } from "./options.ts";
import { Outbox, type OutboxItem } from "./outbox.ts";
import type { Late } from "./result.ts";
import { Partitions } from "./partitions.ts";
import { Positions } from "./positions.ts";
import { Replays } from "./replays.ts";
import { type PartitionClock, Watermarks } from "./watermarks.ts";
import { ALL, toMapKey, windowId } from "./window_key.ts";
import type { Content, CorrectableWindows, Entry, Span, Windows, WindowsHost } from "./windows.ts";

/** So many windows are looked at in one tick. */
const CHUNK = 128;
/** How long a result waits for others before a commit is asked for, in milliseconds. */
const LINGER_MS = 50;
/** The name of the sink of late messages, in errors. */
const LATE = "the sink for late messages";

/** Makes the windows of a kind. */
export type MakeWindows = (host: WindowsHost) => Windows;

/**
 * A window in a flow. Its messages end here: they are added to what is in memory, and to the rows of the next cut.
 * Results begin here, as ticks of the source: once the cut that holds a result is on disk, it goes to the handler, and
 * the next cut no longer has it.
 *
 * In a concurrent flow it is in the chain of each slot. Messages then come by the admission, which has put them in order
 * again, and results go to the slots.
 */
export class WindowStage implements Ticker {
  wake: () => void = () => {};
  begin?: (message: unknown) => void;
  readonly #settings: WindowSettings;
  readonly #place: StagePlace;
  readonly #ticking: Ticking;
  readonly #windows: Windows;
  readonly #partitions: Partitions;
  readonly #watermarks: Watermarks;
  readonly #idle: IdleAdvance;
  readonly #outbox: Outbox;
  readonly #concurrent: ConcurrentTicking | undefined;
  /** Gives a result to the stages behind. */
  #pass: (item: OutboxItem, receipt: Receipt | undefined) => Maybe = () => {};
  /** Where messages may come again. */
  readonly #replays: Replays | undefined;
  /** Stores the definition, where there is none yet. */
  #define: (() => void) | undefined;
  /** A commit was asked for. */
  #asked = false;
  /** The source has ended. */
  #ending = false;
  /** It has, and everything that was open was given. */
  #given = false;
  /** The time for results of windows that have changed has come. */
  #eager = false;
  #cancelEvery: (() => void) | undefined;
  #cancelAsk: (() => void) | undefined;
  #told = { closed: 0, late: 0, ahead: 0 };
  /** What was told before. */
  #before = { closed: 0, late: 0, ahead: 0 };

  constructor(settings: WindowSettings, make: MakeWindows, place: StagePlace) {
    const ticking = place.ticking!;
    const { flow } = place.flowRun;
    const { store, sources } = ticking;
    const partitions = this.#partitions = new Partitions(ticking);
    this.#settings = settings;
    this.#place = place;
    this.#ticking = ticking;
    const prefix = (of: string) => encodeKey([flow, "window", of]);
    this.#watermarks = new Watermarks(
      { outOfOrderness: settings.outOfOrderness, merged: settings.scope === "source" },
      prefix("clock"),
      partitions,
    );
    this.#outbox = new Outbox(prefix("out"), store !== undefined);
    const positions = new Positions(prefix("position"));
    this.#windows = make({
      how: settings.how,
      accept: settings.accept,
      eager: settings.emit !== "final",
      careful: !place.recovery.stops,
      prefix: prefix("windows"),
      closing: (scope) => this.#watermarks.closing(scope),
      least: (scope) => positions.least(scope),
      nameOf: (partition) => partitions.nameOf(partition),
      give: (content) => this.#give(content),
      closed: () => this.#told.closed++,
    });
    this.#idle = new IdleAdvance({
      flow,
      settings,
      ticking,
      partitions,
      watermarks: this.#watermarks,
      windows: this.#windows,
      look: () => this.looked(),
    });
    if (store !== undefined) {
      const key = prefix("definition");
      const definition = sources.length === 1
        ? settings.definition
        : { ...settings.definition, sources: partitions.names };
      const isDefined = assertSameDefinition(flow, store.rows, key, definition);
      if (!isDefined) this.#define = () => store.rows.set(key, definition);
      this.#watermarks.load(store.rows);
      positions.load(store.rows);
      this.#windows.load(store.rows);
      this.#outbox.load(store.rows);
      const leave = store.beforeCut(() => this.#save());
      ticking.signal.addEventListener("abort", leave, { once: true });
    }
    if (sources.length > 1) this.#findPartitions();
    if (ticking.corrected) {
      const replays = this.#replays = new Replays({
        windows: this.#windows as CorrectableWindows,
        clock: (partition) => this.#clock(partition),
        provisional: (partition) => ticking.provisional(partition),
        epoch: () => ticking.epoch(),
      }, positions);
      this.begin = (message) => {
        replays.begin(message);
        if (this.#windows.changed) this.#setEvery();
      };
    }
    const concurrent = this.#concurrent = ticking.concurrent;
    if (concurrent !== undefined) {
      if (ticking.corrected) concurrent.admission.begin = ({ message }) => this.begin!(message);
      const add = this.#adding();
      concurrent.admission.admit = ({ message }, inFlight) => {
        place.input.begin(inFlight.message, inFlight.receipt);
        return add(message);
      };
      concurrent.admission.changed = () => this.#admitted();
      concurrent.results.changed = () => this.wake();
      concurrent.results.freed = () => {
        if (this.due) this.wake();
      };
    }
    const { stopping, signal } = ticking;
    for (const end of [stopping, signal]) {
      end.addEventListener("abort", () => this.#cancelTimers(), { once: true });
    }
    ticking.connect(this);
  }

  /** See {@linkcode Ticker.look}. */
  look(): WindowCounts {
    const before = this.#before;
    const { closed, late, ahead } = this.#told;
    return {
      open: this.#windows.open,
      closed: before.closed + closed,
      late: before.late + late,
      ahead: before.ahead + ahead,
      waiting: this.#outbox.size,
      ...this.#reached(),
    };
  }

  /** How far the event time has come. */
  #reached(): Pick<WindowCounts, "watermark" | "delayMs"> {
    const all = [...this.#watermarks.clocks.values()].map(({ watermark }) => watermark);
    const least = Math.min(...all);
    if (!Number.isFinite(least)) return { watermark: undefined, delayMs: undefined };
    return { watermark: least, delayMs: this.#ticking.clock.now() - least };
  }

  /** Sets where results go from the stage at `place`; returns where messages come in. */
  into(emit: Emit<unknown>, place: StagePlace): Emit<unknown> {
    const { concurrent } = place.ticking!;
    if (concurrent === undefined) {
      this.#pass = (item, receipt) => this.#send(item, receipt, emit, place);
      return this.#adding();
    }
    const { port } = concurrent;
    port.give = ({ item, receipt }) => this.#send(item as OutboxItem, receipt, emit, place);
    return (message) => {
      const work = currentMessage();
      port.passed.push({
        message,
        runAs: (step) => work === undefined ? step() : runAs(work, step),
      });
    };
  }

  /** Adds messages under the error policy of the flow. */
  #adding(): Emit<unknown> {
    const { flowRun, input, recovery } = this.#place;
    const failed = (message: unknown, error: unknown) => flowRun.callError(error, message, input);
    if (recovery.stops) {
      return (message) => {
        try {
          this.#add(message);
        } catch (error) {
          throw failed(message, error);
        }
      };
    }
    return (message) => recovery.guard(() => this.#add(message), (error) => failed(message, error));
  }

  /** Messages were admitted, or those of a partition that were in flight have come to nothing. */
  #admitted(): void {
    this.#idle.watch();
    if (this.due) this.wake();
  }

  #add(message: unknown): void {
    const { by, time: timeOf, how, scope, maxAhead } = this.#settings;
    const { receipt, branch } = this.#place.input;
    const replays = this.#replays;
    if (replays?.passes) return;
    const again = replays?.watermark;
    const local = receipt?.partition ?? 0;
    const partition = this.#partitions.of(branch, local);
    const time = timeOf === undefined ? timestampOf(message) : timeOf(message);
    if (typeof time !== "number" || !Number.isFinite(time)) {
      throw new TypeError(
        `Cannot window a message by the time ${
          describe(time)
        }: option "time" must return milliseconds since the ` +
          "epoch as a number",
      );
    }
    const key = by === undefined ? keyOf(message, "window") : by(message);
    const mapKey = toMapKey(key);
    const read = how.read(message);
    const silence = this.#ticking.sources[branch]!.silence(local);
    const clock = this.#clock(partition, silence);
    const entry: Entry = {
      partition,
      scope: scope === "partition" ? partition : ALL,
      key,
      mapKey,
      time,
      read,
      arrival: clock.arrivals,
      watermark: again ?? clock.watermark,
    };
    const root = receipt?.root instanceof RootMessage ? receipt.root : undefined;
    if (again !== undefined) {
      replays!.reached(entry, false);
      if (root !== undefined) root.required = true;
      return;
    }
    // What cannot be copied is an error before anything is added.
    const isCopied = this.#settings.late !== undefined && time < clock.watermark;
    const copy = isCopied ? copyOf(message) : undefined;
    const late = this.#windows.add(entry);
    if (root !== undefined) root.required = true; // what has failed before is in no window
    replays?.reached(entry, late === undefined);
    const origin = receipt?.origin ?? this.#place.input.root;
    const counts = time <= nowOf(origin, this.#ticking.clock) + maxAhead;
    if (!counts) this.#told.ahead++;
    if (late !== undefined) this.#late(copy, entry, late, receipt);
    this.#watermarks.arrived(clock, time, silence, counts);
    this.#windows.moved(entry.scope);
    if (this.#partitions.someEnded) this.#idle.apply();
    if (this.#windows.changed) this.#setEvery();
    this.#idle.watch();
  }

  #clock(partition: number, silence: number = this.#partitions.silence(partition)): PartitionClock {
    const { scope, how } = this.#settings;
    const { clocks } = this.#watermarks;
    if (
      scope === "source" && how.merge === undefined && clocks.size > 0 && !clocks.has(partition)
    ) {
      throw new TypeError(
        "Cannot merge partitions: fold() needs merge where windows have messages of several",
      );
    }
    return this.#watermarks.of(partition, silence);
  }

  #late(
    message: unknown,
    { key, time, partition, watermark }: Entry,
    windows: readonly Span[],
    receipt: Receipt | undefined,
  ): void {
    this.#told.late++;
    if (this.#settings.late === undefined) return;
    const place = this.#partitions.placeOf(partition);
    const late: Late<unknown> = {
      message,
      key,
      time,
      latenessMs: watermark - time,
      source: place.source.name,
      partition: place.partition,
      position: receipt?.next,
      windows: windows.map(({ start, end }) => ({ start, end })),
    };
    this.#outbox.add("late", late);
    this.#ask();
  }

  #give({ scope, key, place, value, replaces = [], ...rest }: Content): void {
    const name = scope === ALL ? "*" : this.#partitions.nameOf(scope);
    const id = windowId(name, key, place);
    const result = { key, value, id, replaces: replaces.map((each) => windowId(name, key, each)) };
    this.#outbox.add("result", { ...result, ...rest });
    this.#ask();
  }

  /** Asks for a commit, soon: what waits leaves after it. */
  #ask(): void {
    if (this.#asked || !this.#outbox.stored || this.#ticking.stopping.aborted) return;
    this.#asked = true;
    this.#cancelAsk = this.#ticking.clock.timer(() => this.#ticking.commitSoon(), LINGER_MS);
  }

  /** Writes everything that has changed, just before a cut. */
  #save(): () => void {
    const { rows } = this.#ticking.store!;
    this.#replays?.settle();
    // Of the replays between two cuts, the last one counts.
    const { emit } = this.#settings;
    if (emit === "changes" || (emit === "final" && this.#replays)) this.#giveChanged();
    this.#replays?.save(rows);
    this.#define?.();
    this.#define = undefined;
    this.#watermarks.save(rows);
    this.#windows.save(rows);
    const saved = this.#outbox.save(rows);
    this.#asked = false;
    this.#cancelAsk?.();
    return () => {
      saved();
      this.wake();
    };
  }

  #giveChanged(): void {
    while (this.#windows.changed && !this.#outbox.full) this.#windows.giveChanged(CHUNK);
  }

  /** True while a result may leave. */
  get #gives(): boolean {
    return this.#outbox.first !== undefined && (this.#concurrent?.results.wants ?? true);
  }

  get due(): boolean {
    if (this.#gives) return true;
    if (this.#outbox.full) return false;
    return this.#windows.due || (this.#eager && this.#windows.changed) ||
      (this.#ending && !this.#given);
  }

  get full(): boolean {
    return this.#outbox.full;
  }

  get busy(): boolean {
    return this.#concurrent !== undefined && this.#concurrent.results.open > 0;
  }

  get pending(): boolean {
    return this.due || this.#outbox.size > 0;
  }

  tick(receipt: Receipt | undefined): Maybe {
    if (this.#gives) return this.#leave(receipt);
    try {
      this.#work();
    } catch (error) {
      // An accumulator that cannot be merged or copied: it belongs to no message any more.
      throw this.#place.flowRun.callError(error, undefined, this.#place.output);
    }
  }

  #work(): void {
    this.#replays?.settle();
    if (this.#windows.due) {
      this.#windows.close(CHUNK);
      if (this.#partitions.someEnded) this.#idle.apply();
      return;
    }
    if (this.#eager && this.#windows.changed) {
      this.#windows.giveChanged(CHUNK);
      if (!this.#windows.changed) this.#eager = false;
      return;
    }
    this.#given = !this.#windows.giveOpen(CHUNK);
  }

  /** Has the next result leave: at once, or in a slot of the flow, after the earlier ones of its key. */
  #leave(receipt: Receipt | undefined): Maybe {
    const item = this.#outbox.take();
    const root = receipt?.root;
    if (this.#concurrent === undefined) {
      const done = this.#pass(item, receipt);
      if (done === undefined) return this.#outbox.left(item, root);
      return done.then(() => this.#outbox.left(item, root));
    }
    const { key } = item.value as { readonly key: unknown };
    const given = new Given(item.value, receipt, item, () => this.#outbox.left(item, root));
    this.#concurrent.results.give(given, String(toMapKey(key)));
  }

  #send(
    { type, value }: OutboxItem,
    receipt: Receipt | undefined,
    emit: Emit<unknown>,
    { output, recovery, flowRun, ticking }: StagePlace,
  ): Maybe {
    output.begin(value, receipt);
    if (receipt !== undefined) receipt.origin = value;
    return ticking!.runAs(value, receipt, () => {
      if (type === "result") return emit(value);
      const write = () => ticking!.write(this.#settings.late, LATE, value, receipt);
      return recovery.guard(write, (error) => flowRun.sinkError(error));
    });
  }

  ended(): void {
    this.#replays?.settle();
    this.#ending = true;
    this.#cancelTimers();
  }

  looked(): void {
    if (this.#ending || this.#ticking.stopping.aborted) return;
    this.#findPartitions();
    this.#idle.apply();
    if (this.due) this.wake();
  }

  /** Partitions that are read and have had no message count too, where windows have messages of all. */
  #findPartitions(): void {
    if (this.#settings.scope === "partition") return;
    for (const partition of this.#partitions.read) this.#clock(partition);
    this.#windows.moved(ALL);
  }

  #setEvery(): void {
    const { emit } = this.#settings;
    if (emit === "changes") {
      if (!this.#outbox.stored) this.#eager = true;
      return;
    }
    if (typeof emit !== "number" || this.#eager || this.#cancelEvery !== undefined) return;
    if (this.#ending || this.#ticking.stopping.aborted) return;
    this.#cancelEvery = this.#ticking.clock.timer(() => {
      this.#cancelEvery = undefined;
      this.#eager = true;
      this.wake();
    }, emit);
  }

  #cancelTimers(): void {
    this.#idle.end(this.#ending);
    this.#cancelEvery?.();
    if (this.#ticking.stopping.aborted || this.#ticking.signal.aborted) this.#cancelAsk?.();
  }

  tell(status: (event: StatusEvent) => void): void {
    const { flow, source } = this.#place.flowRun;
    const { closed, late, ahead } = this.#told;
    const before = this.#before;
    this.#before = {
      closed: before.closed + closed,
      late: before.late + late,
      ahead: before.ahead + ahead,
    };
    this.#told = { closed: 0, late: 0, ahead: 0 };
    const waiting = this.#outbox.size;
    status({ type: "windows", flow, source, closed, late, ahead, waiting, ...this.#reached() });
  }
}

/** What the time is when a message comes: by the broker that has stored it, where that has said so. */
function nowOf(root: unknown, clock: Clock): number {
  const { record } = (root ?? {}) as { record?: { appended?: boolean; timestamp: number } };
  return record?.appended ? record.timestamp : clock.now();
}

function timestampOf(message: unknown): unknown {
  const time = (message as { timestamp?: unknown } | null | undefined)?.timestamp;
  if (time !== undefined) return time;
  throw new TypeError(
    'Cannot window a message without a timestamp: set option "time" to a function that returns its time',
  );
}

/** A copy of a message that can be stored; of a `Message` its fields. */
function copyOf(message: unknown): unknown {
  try {
    return copyIn(message).value;
  } catch (error) {
    const { topic, partition, offset, timestamp, key, value } = message as Record<string, unknown>;
    if (topic === undefined) throw error;
    return copyIn({ topic, partition, offset, timestamp, key, value }).value;
  }
}
