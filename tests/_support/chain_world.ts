import { App, Checkpoint, Dependency } from "../../mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { asOf, type Question, type Weather } from "./join_world.ts";
import { Log, type LogMessage, LogSource } from "./log_source.ts";

/** Three streams in one process: trips that depend on the weather, bills that depend on the trips. */
export class Chain {
  readonly clock: ManualClock = new ManualClock(1_000_000);
  readonly weather: Log<Weather> = new Log();
  readonly trips: Log<Question> = new Log();
  readonly bills: Log<Question> = new Log();
  readonly lower: Checkpoint<LogMessage<Question>>;
  /** The bills in their order: the weather of the last trip before each. */
  readonly log: string[] = [];
  readonly #app: App;

  /** Makes the flows; with `waits` a bill waits for the trips before it. */
  constructor({ waits = false } = {}) {
    const weather = new LogSource(this.weather);
    const trips = new LogSource(this.trips);
    const bills = new LogSource(this.bills);
    const upper = new Checkpoint("trips", {
      dependent: trips,
      dependencies: [new Dependency("weather", weather)],
      correct: true,
    });
    this.lower = new Checkpoint("bills", {
      dependent: bills,
      dependencies: [new Dependency("trips", trips)],
      ...(waits
        ? { mode: "wait", time: ({ value }: LogMessage<Question>) => value.time }
        : { correct: true }),
    });
    const known: Weather[] = [];
    const made = new Map<number, Weather>();
    const app = this.#app = new App({ clock: this.clock });
    app.handle(weather, async ({ value }) => {
      await upper.heartbeat(value.time);
      known.push(value);
    });
    app.handle(trips, async ({ value: { time } }) => {
      await upper.checkPulse(time);
      await this.lower.heartbeat(time);
      made.set(time, { time, value: asOf(known, time) });
    });
    app.handle(bills, async ({ value: { time } }) => {
      await this.lower.checkPulse(time);
      this.log.push(asOf([...made.values()], time));
    });
  }

  /** Runs the streams until `body` is over, then ends them in peace. */
  async run(body: () => Promise<void>): Promise<void> {
    const stop = new AbortController();
    const streaming = this.#app.stream({ signal: stop.signal });
    await this.rest();
    await body();
    stop.abort();
    await this.rest();
    await this.clock.tick(1000);
    await streaming;
  }

  /** Runs until nothing more happens without time passing. */
  async rest(): Promise<void> {
    for (let turn = 0; turn < 40; turn++) await settle();
  }
}
